package example;

import com.amazonaws.services.lambda.runtime.events.APIGatewayProxyRequestEvent;
import com.amazonaws.services.lambda.runtime.events.APIGatewayProxyResponseEvent;
import com.amazonaws.services.lambda.runtime.events.APIGatewayV2HTTPEvent;
import com.amazonaws.services.lambda.runtime.events.APIGatewayV2HTTPResponse;
import com.amazonaws.services.lambda.runtime.events.DynamodbEvent;
import com.amazonaws.services.lambda.runtime.events.KafkaEvent;
import com.amazonaws.services.lambda.runtime.events.KinesisEvent;
import com.amazonaws.services.lambda.runtime.events.S3Event;
import com.amazonaws.services.lambda.runtime.events.SNSEvent;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.amazonaws.services.lambda.runtime.events.ScheduledEvent;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** Methods that take AWS's events by their own classes. */
public class Events {
    public Object sqs(SQSEvent event) {
        SQSEvent.SQSMessage message = event.getRecords().get(0);
        return List.of(message.getMessageId(), message.getBody(), message.getAttributes(), message.getEventSourceArn(),
                message.getEventSource(), message.getAwsRegion(), message.getMd5OfBody(),
                message.getMessageAttributes().get("a").getStringValue());
    }

    public SQSBatchResponse failures(SQSEvent event) {
        String id = event.getRecords().get(0).getMessageId();
        return new SQSBatchResponse(List.of(new SQSBatchResponse.BatchItemFailure(id)));
    }

    public Object sns(SNSEvent event) {
        SNSEvent.SNS message = event.getRecords().get(0).getSNS();
        return List.of(message.getMessage(), message.getTimestamp().toString(), message.getSubject(),
                event.getRecords().get(0).getEventSource(), message.getMessageAttributes().get("T").getValue());
    }

    public APIGatewayV2HTTPResponse http(APIGatewayV2HTTPEvent event) {
        APIGatewayV2HTTPResponse answer = new APIGatewayV2HTTPResponse();
        answer.setStatusCode(200);
        answer.setHeaders(event.getHeaders());
        answer.setBody(event.getRawPath() + event.getRequestContext().getHttp().getMethod()
                + event.getQueryStringParameters() + event.getIsBase64Encoded() + event.getCookies());
        return answer;
    }

    public APIGatewayProxyResponseEvent proxy(APIGatewayProxyRequestEvent event) {
        String body = event.getPath() + event.getHttpMethod() + event.getRequestContext().getIdentity().getSourceIp()
                + event.getIsBase64Encoded();
        return new APIGatewayProxyResponseEvent().withStatusCode(201).withBody(body);
    }

    public Object dynamodb(DynamodbEvent event) {
        DynamodbEvent.DynamodbStreamRecord record = event.getRecords().get(0);
        return List.of(record.getEventID(), record.getDynamodb().getNewImage().get("Id").getN(),
                record.getDynamodb().getKeys().get("k").getS(),
                record.getDynamodb().getApproximateCreationDateTime().getTime(),
                record.getDynamodb().getSequenceNumber(), record.getEventSourceARN(),
                record.getDynamodb().getStreamViewType());
    }

    public Object kinesis(KinesisEvent event) {
        KinesisEvent.KinesisEventRecord record = event.getRecords().get(0);
        return List.of(StandardCharsets.UTF_8.decode(record.getKinesis().getData()).toString(),
                record.getKinesis().getPartitionKey(), record.getKinesis().getApproximateArrivalTimestamp().getTime(),
                record.getEventID(), record.getEventSourceARN());
    }

    public Object s3(S3Event event) {
        var record = event.getRecords().get(0);
        return List.of(record.getS3().getBucket().getName(), record.getS3().getObject().getUrlDecodedKey(),
                record.getEventTime().toString(), record.getS3().getObject().getSizeAsLong(),
                record.getS3().getObject().geteTag(), record.getResponseElements().getxAmzId2());
    }

    public Object scheduled(ScheduledEvent event) {
        return List.of(event.getTime().toString(), event.getDetailType(), event.getDetail(), event.getResources());
    }

    /** The class of the event decides how dates are written elsewhere. */
    public Object proxyDate(APIGatewayProxyRequestEvent event) {
        return Map.of("when", new Date(1500), "path", event.getPath());
    }

    public SQSEvent sqsItself(SQSEvent event) {
        return event;
    }

    public S3Event s3Itself(S3Event event) {
        return event;
    }

    public Object scheduledInside(ScheduledEvent event) {
        return Map.of("event", event);
    }

    public Object kafka(KafkaEvent event) {
        KafkaEvent.KafkaEventRecord record = event.getRecords().get("t-0").get(0);
        return List.of(record.getTopic(), record.getOffset(), record.getValue(), record.getHeaders().size());
    }
}
