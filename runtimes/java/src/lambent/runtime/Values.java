package lambent.runtime;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Type;
import java.util.Map;
import java.util.Set;

/**
 * Events to a handler's parameter, and its results to JSON, by AWS's rules. Three ways, and a last resort: the function's
 * own serializer if it brings one; what is certain, done here in a moment ({@link Shape}, {@link PlainWriter}); AWS's
 * library for all else, and from then on for everything. Where that library is missing, {@link Binder} and {@link JsonText}.
 */
final class Values {
    private static final byte[] NULL = {'n', 'u', 'l', 'l'};
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";
    /** The classes that AWS's library has rules of their own for: other names, other dates. */
    private static final Set<String> SPECIAL = Set.of(
            EVENTS + "CloudFormationCustomResourceEvent", EVENTS + "CloudFrontEvent", EVENTS + "CloudWatchLogsEvent",
            EVENTS + "CodeCommitEvent", EVENTS + "CognitoEvent", EVENTS + "ConfigEvent", EVENTS + "ConnectEvent",
            EVENTS + "DynamodbEvent", EVENTS + "DynamodbTimeWindowEvent", EVENTS + "IoTButtonEvent", EVENTS + "KinesisEvent",
            EVENTS + "KinesisTimeWindowEvent", EVENTS + "KinesisFirehoseEvent", EVENTS + "LambdaDestinationEvent",
            EVENTS + "LexEvent", EVENTS + "ScheduledEvent", EVENTS + "SecretsManagerRotationEvent", EVENTS + "S3Event",
            EVENTS + "SNSEvent", EVENTS + "SQSEvent", EVENTS + "models.s3.S3EventNotification",
            "com.amazonaws.services.s3.event.S3EventNotification");
    /** Two more, to which these rules make no difference; but the library refuses them where Joda's dates are missing. */
    private static final Set<String> NEED_JODA = Set.of(EVENTS + "APIGatewayProxyRequestEvent", EVENTS + "APIGatewayProxyResponseEvent");

    private static AwsLibrary library;
    private static boolean libraryIsMissing;

    private final Type input; // Null: the handler takes none.
    private final Type output; // Null: the handler gives none.
    private final Shape shape; // Of the input, null if uncertain.
    private final boolean writesPlainly;
    private final CustomPojoSerializer custom;
    private Pair usual;
    private Pair android;

    /** AWS's serializers, for either direction. */
    private final class Pair {
        private final AwsLibrary.Serializer reader;
        private final AwsLibrary.Serializer writer;

        Pair(boolean forAndroid) throws Throwable {
            // In this order, as AWS's client has it: the first can change what the second does with dates.
            reader = input == null ? null : library.serializer(input, forAndroid);
            writer = output == null ? null : library.serializer(output, forAndroid);
        }
    }

    /** Throws what AWS's client would tell at each invoke: the types can't be served. */
    Values(Type input, Type output) throws Throwable {
        this.input = isVoid(input) ? null : input;
        this.output = isVoid(output) ? null : output;
        custom = CustomSerializer.find();
        shape = this.input == null || isSpecial(input) ? null : Shape.of(input);
        writesPlainly = this.output == null || (!isSpecial(output) && PlainWriter.mayWrite(output));
        if (custom == null && ((this.input != null && shape == null) || !writesPlainly)) {
            ask();
        }
    }

    private static boolean isVoid(Type type) {
        return type == null || type == void.class || type == Void.class;
    }

    private static boolean isSpecial(Type type) {
        String name = type instanceof Class ? ((Class<?>) type).getName() : "";
        return SPECIAL.contains(name) || (NEED_JODA.contains(name) && ClassLoader.getSystemResource("org/joda/time/DateTime.class") == null);
    }

    /** Whether AWS's library is there and serves from now on. */
    private boolean ask() throws Throwable {
        if (library == null && !libraryIsMissing) {
            library = AwsLibrary.open();
            libraryIsMissing = library == null;
        }
        if (usual == null && library != null) {
            usual = new Pair(false);
        }
        return usual != null;
    }

    /** Whether it serves. */
    boolean isAsked() {
        return usual != null;
    }

    /** {@code client}: what is known of the caller, null if nothing. */
    Object read(byte[] event, ClientContext client) throws Throwable {
        if (input == null) {
            return null;
        }
        if (custom != null) {
            return custom.fromJson(new ByteArrayInputStream(event), input);
        }
        if (isForAndroid(client)) {
            return android.reader.read(event);
        }
        if (!isAsked() && shape != null) {
            try {
                return shape.read(Json.exactly(event));
            } catch (RuntimeException unsure) {
                // The library knows.
            }
        }
        return ask() ? usual.reader.read(event) : Binder.bind(Json.parse(event), input);
    }

    byte[] write(Object result, ClientContext client) throws Throwable {
        if (output == null) {
            return NULL;
        }
        if (custom != null) {
            ByteArrayOutputStream json = new ByteArrayOutputStream();
            custom.toJson(result, json, output);
            return json.toByteArray();
        }
        if (isForAndroid(client)) {
            return android.writer.write(result);
        }
        if (!isAsked() && writesPlainly) {
            try {
                return PlainWriter.bytes(result, output);
            } catch (RuntimeException unsure) {
                // The library knows.
            }
        }
        return ask() ? usual.writer.write(result) : JsonText.bytes(result);
    }

    private boolean isForAndroid(ClientContext client) throws Throwable {
        Map<String, String> environment = client == null ? null : client.getEnvironment();
        if (environment == null || !"Android".equalsIgnoreCase(environment.get("platform")) || !ask()) {
            return false;
        }
        if (android == null) {
            android = new Pair(true);
        }
        return true;
    }
}
