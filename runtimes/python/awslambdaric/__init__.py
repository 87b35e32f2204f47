"""The members of AWS's runtime interface client that functions import and tools patch, on Lambent's own loop.

`from awslambdaric.lambda_context import LambdaContext` is the class whose objects handlers get. Who imports
`bootstrap` or `lambda_runtime_client` may replace what is in them: from the next event on the loop goes through
`bootstrap.serve`, where each step is looked up by the name that AWS's client has for it. Nothing here is read before
somebody asks for it.
"""

# Of the client whose members these are.
__version__ = "4.2.2"
