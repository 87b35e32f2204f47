package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the headers of an event and the environment say of the invoke. */
final class InvokeContext implements Context {
    private final Map<String, String> headers;
    private final long deadlineMs;
    private final Map<?, ?> client;
    private final Map<?, ?> identity;

    InvokeContext(Map<String, String> headers) {
        this.headers = headers;
        deadlineMs = Long.parseLong(headers.getOrDefault("lambda-runtime-deadline-ms", "0"));
        client = object("lambda-runtime-client-context");
        identity = object("lambda-runtime-cognito-identity");
    }

    private Map<?, ?> object(String header) {
        String text = headers.get(header);
        if (text == null || text.isEmpty()) {
            return null;
        }
        return (Map<?, ?>) Json.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public String getAwsRequestId() {
        return headers.get("lambda-runtime-aws-request-id");
    }

    @Override
    public String getLogGroupName() {
        return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return headers.get("lambda-runtime-invoked-function-arn");
    }

    @Override
    public CognitoIdentity getIdentity() {
        if (identity == null) {
            return null;
        }
        return new CognitoIdentity() {
            @Override
            public String getIdentityId() {
                return text(identity, "cognitoIdentityId");
            }

            @Override
            public String getIdentityPoolId() {
                return text(identity, "cognitoIdentityPoolId");
            }
        };
    }

    @Override
    public ClientContext getClientContext() {
        return client == null ? null : new Caller();
    }

    @Override
    public int getRemainingTimeInMillis() {
        return (int) (deadlineMs - System.currentTimeMillis());
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
    }

    @Override
    public LambdaLogger getLogger() {
        return FunctionLog.INSTANCE;
    }

    @Override
    public String getTenantId() {
        return headers.get("lambda-runtime-aws-tenant-id");
    }

    @Override
    public String getXrayTraceId() {
        return headers.get("lambda-runtime-trace-id");
    }

    private static String text(Map<?, ?> map, String name) {
        Object value = map.get(name);
        return value == null ? null : value.toString();
    }

    private static Map<String, String> texts(Object value) {
        if (!(value instanceof Map)) {
            return null;
        }
        Map<String, String> texts = new LinkedHashMap<>();
        ((Map<?, ?>) value).forEach((key, item) -> texts.put(key.toString(), item == null ? null : item.toString()));
        return texts;
    }

    private final class Caller implements ClientContext, Client {
        private String ofClient(String name) {
            return text((Map<?, ?>) client.get("client"), name);
        }

        @Override
        public Client getClient() {
            return client.get("client") instanceof Map ? this : null;
        }

        @Override
        public Map<String, String> getCustom() {
            return texts(client.get("custom"));
        }

        @Override
        public Map<String, String> getEnvironment() {
            return texts(client.get("env"));
        }

        @Override
        public String getInstallationId() {
            return ofClient("installation_id");
        }

        @Override
        public String getAppTitle() {
            return ofClient("app_title");
        }

        @Override
        public String getAppVersionName() {
            return ofClient("app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return ofClient("app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return ofClient("app_package_name");
        }
    }
}
