package sdk

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestInvokes(t *testing.T) {
	name := create(t)
	answer := must(client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: name, Payload: []byte(`{"a":[1,null]}`), LogType: types.LogTypeTail,
	}))(t)
	equal(t, string(answer.Payload), `{"a":[1,null]}`)
	equal(t, answer.StatusCode, 200)
	equal(t, *answer.ExecutedVersion, "$LATEST")
	equal(t, answer.FunctionError, nil)
	log := must(base64.StdEncoding.DecodeString(*answer.LogResult))(t)
	contains(t, string(log), "REPORT RequestId")

	answer = must(client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: name, InvocationType: types.InvocationTypeDryRun,
	}))(t)
	equal(t, answer.StatusCode, 204)
	equal(t, len(answer.Payload), 0)

	answer = must(client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte(`{"fail":true}`)}))(t)
	equal(t, *answer.FunctionError, "Unhandled")
	var failure struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(answer.Payload, &failure); err != nil {
		t.Fatal(err)
	}
	equal(t, failure.ErrorType, "RangeError")
	equal(t, failure.ErrorMessage, "as told")
}

func TestTheClientContextArrives(t *testing.T) {
	name := create(t)
	given := base64.StdEncoding.EncodeToString([]byte(`{"custom":{"word":"hello"}}`))
	answer := must(client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: name, ClientContext: aws.String(given), Payload: []byte(`{"show":"clientContext"}`),
	}))(t)
	contains(t, string(answer.Payload), "hello")
}

func TestInvokesThatAreRefused(t *testing.T) {
	name := create(t)
	_, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte(`{"a":`)})
	contains(t, *refused[*types.InvalidRequestContentException](t, err).Message, "Could not parse request body into json")
	_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("no-such-function")})
	refused[*types.ResourceNotFoundException](t, err)
	_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: make([]byte, 7<<20)})
	refused[*types.RequestTooLargeException](t, err)

	must(client.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
		FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0),
	}))(t)
	_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name})
	throttle := refused[*types.TooManyRequestsException](t, err)
	equal(t, throttle.Reason, types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded)
	equal(t, *throttle.Message, "Rate Exceeded.")
	must(client.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: name}))(t)
	eventually(t, func() bool {
		_, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name})
		return err == nil
	})
}

// What a streamed invoke sent, and how it ended.
func stream(t *testing.T, name *string, payload string) (string, types.InvokeWithResponseStreamCompleteEvent) {
	t.Helper()
	answer := must(client.InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{
		FunctionName: name, Payload: []byte(payload), LogType: types.LogTypeTail,
	}))(t)
	equal(t, answer.StatusCode, 200)
	events := answer.GetStream()
	defer events.Close()
	var text string
	var end *types.InvokeWithResponseStreamCompleteEvent
	for event := range events.Events() {
		switch it := event.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			text += string(it.Value.Payload)
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			end = &it.Value
		default:
			t.Fatalf("%T", it)
		}
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
	if end == nil {
		t.Fatal("no end")
	}
	return text, *end
}

func TestStreams(t *testing.T) {
	name := create(t, func(input *lambda.CreateFunctionInput) { input.Handler = aws.String("index.streaming") })
	text, end := stream(t, name, `{"words":["one ","two ","three"]}`)
	equal(t, text, "one two three")
	equal(t, end.ErrorCode, nil)
	log := must(base64.StdEncoding.DecodeString(*end.LogResult))(t)
	contains(t, string(log), "REPORT RequestId")

	_, end = stream(t, name, `{"words":["one "],"fail":true}`)
	equal(t, *end.ErrorCode, "Unhandled")
	contains(t, *end.ErrorDetails, "as told")

	_, err := client.InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{
		FunctionName: aws.String("no-such-function"),
	})
	refused[*types.ResourceNotFoundException](t, err)
}
