from app import nothing_like_this
