package sdk

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestThrottledCallsAreMadeAgain(t *testing.T) {
	slow := settings("LAMBENT_SLOW_")
	slow.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 12 })
	}
	patient := lambda.NewFromConfig(slow)
	var calls sync.WaitGroup
	outcomes := make(chan error, 20)
	attempts := make(chan int, 20)
	for range cap(outcomes) {
		calls.Add(1)
		go func() {
			defer calls.Done()
			answer, err := patient.ListFunctions(ctx, &lambda.ListFunctionsInput{})
			outcomes <- err
			if err == nil {
				tried, _ := retry.GetAttemptResults(answer.ResultMetadata)
				attempts <- len(tried.Results)
			}
		}()
	}
	calls.Wait()
	close(outcomes)
	close(attempts)
	for err := range outcomes {
		if err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for count := range attempts {
		total += count
	}
	if total <= cap(outcomes) {
		t.Fatal("nobody was throttled")
	}

	hasty := lambda.NewFromConfig(settings("LAMBENT_SLOW_"))
	eventually(t, func() bool {
		_, err := hasty.ListFunctions(ctx, &lambda.ListFunctionsInput{})
		if err != nil {
			throttle := refused[*types.TooManyRequestsException](t, err)
			equal(t, throttle.Reason, types.ThrottleReasonCallerRateLimitExceeded)
			equal(t, *throttle.RetryAfterSeconds, "1")
		}
		return err != nil
	})
}
