"""The handler's second argument. Attributes and methods are those of Lambda's documentation and of AWS's client;
nothing here is computed before somebody asks, except what has to be an ordinary attribute."""
from time import time

W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class _Record:
    """An object with the fields its class names, printed as AWS's client prints them."""

    __slots__ = ()

    def __init__(self, values=None):
        for name in self.__slots__:
            setattr(self, name, values.get(name) if values else None)

    def __repr__(self):
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (self.__class__.__name__, fields)


class CognitoIdentity(_Record):
    """Who called, by Amazon Cognito, if a mobile SDK did."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Record):
    """The mobile application that called."""

    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Record):
    """What the caller sent in `X-Amz-Client-Context`."""

    __slots__ = ("custom", "env", "client")


class LambdaContext:
    """What a function may know of its invoke and of itself."""

    def __init__(self, function, request_id, arn, deadline_ms, client_context, identity, tenant_id):
        (
            self.log_group_name,
            self.log_stream_name,
            self.function_name,
            self.memory_limit_in_mb,
            self.function_version,
        ) = function
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.tenant_id = tenant_id
        self._w3c_fields = {}
        self.client_context = None if client_context is None else self._client_context(client_context)
        self.identity = CognitoIdentity()
        if identity is not None:
            self.identity.cognito_identity_id = identity.get("cognitoIdentityId")
            self.identity.cognito_identity_pool_id = identity.get("cognitoIdentityPoolId")
        self._epoch_deadline_time_in_ms = deadline_ms

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invoke times out, never negative."""
        return max(0, self._epoch_deadline_time_in_ms - int(time() * 1000))

    def w3c(self):
        """The W3C trace context of this invoke."""
        return dict(self._w3c_fields)

    def log(self, msg):
        """Writes to the function's log as it is, without a line end."""
        from lambent_runtime.bootstrap import Log

        Log.sink().log(str(msg))

    def _client_context(self, values):
        if isinstance(values, dict) and "w3c" in values:
            w3c = values.pop("w3c")
            if isinstance(w3c, dict):
                self._w3c_fields = {
                    name: w3c[name] for name in W3C_FIELDS if isinstance(w3c.get(name), str)
                }
        context = ClientContext(values)
        if context.client is not None:
            context.client = Client(context.client)
        return context

    def __repr__(self):
        names = (
            "aws_request_id",
            "log_group_name",
            "log_stream_name",
            "function_name",
            "memory_limit_in_mb",
            "function_version",
            "invoked_function_arn",
            "client_context",
            "identity",
            "tenant_id",
        )
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in names)
        return "%s([%s])" % (self.__class__.__name__, fields)
