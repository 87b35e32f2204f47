"""Handlers that log."""
import logging

logger = logging.getLogger("named")
logging.getLogger().info("at import, not heard by default")
logging.error("at import")


def plain(event, context):
    logging.warning("a warning with %s", "arguments")
    logger.error("an error\nof two lines")
    logger.info("not heard")
    logging.getLogger().setLevel(logging.DEBUG)
    logger.debug("heard now")
    logger.setLevel(logging.INFO)
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("divided")
    logging.info({"a": "dict"})
    logging.info("with extra", extra={"order": 5, "obj": object})
    return [type(h).__name__ for h in logging.getLogger().handlers]


def basic_config(event, context):
    logging.basicConfig(level=logging.INFO)
    logging.info("not heard: basicConfig does nothing where there is a handler")
    logging.critical("critical")
    return len(logging.getLogger().handlers)


def late(event, context):
    raise ValueError("in JSON")
