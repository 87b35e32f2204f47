// The AWS SDK for Go against a running Lambent.
//
// LAMBENT_URL, LAMBENT_KEY and LAMBENT_SECRET lead to one that answers as fast as it can, the same
// with LAMBENT_SLOW_ before to one whose control plane throttles soon. LAMBENT_PACKAGE is the code
// of every function here: a zip in base64.
package sdk

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	region  = "us-east-1"
	account = "000000000000"
	role    = "arn:aws:iam::000000000000:role/tester"
	within  = 30 * time.Second
)

var (
	ctx    = context.Background()
	config = settings("LAMBENT_")
	client = lambda.NewFromConfig(config)
	web    = &http.Client{Transport: &http.Transport{DialContext: dial}}
)

// What every client of a server is made of. No answer is asked for twice.
func settings(prefix string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(os.Getenv(prefix + "URL")),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv(prefix+"KEY"), os.Getenv(prefix+"SECRET"), ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// Connects to the server whatever the host's name: nobody has to resolve names of function URLs.
func dial(ctx context.Context, network, _ string) (net.Conn, error) {
	server, err := url.Parse(os.Getenv("LAMBENT_URL"))
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, server.Host)
}

// must(call())(t) is the call's answer, or the test's end.
func must[T any](answer T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// The error as the type it must have.
func refused[E error](t *testing.T, err error) E {
	t.Helper()
	var refusal E
	if !errors.As(err, &refusal) {
		t.Fatalf("%v is no %T", err, refusal)
	}
	return refusal
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%v, not %v", got, want)
	}
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Fatalf("%q is not in %q", part, text)
	}
}

// Waits until it is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not so in time")
		}
	}
}

func unique(prefix string) string {
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	return prefix + "-" + hex.EncodeToString(random)
}

func archive(t *testing.T) []byte {
	t.Helper()
	return must(base64.StdEncoding.DecodeString(os.Getenv("LAMBENT_PACKAGE")))(t)
}

// Creates a function, with settings as they are changed, and deletes it after the test.
func create(t *testing.T, changes ...func(*lambda.CreateFunctionInput)) *string {
	t.Helper()
	input := &lambda.CreateFunctionInput{
		FunctionName: aws.String(unique("go")),
		Role:         aws.String(role),
		Runtime:      types.RuntimeNodejs20x,
		Handler:      aws.String("index.handler"),
		Code:         &types.FunctionCode{ZipFile: archive(t)},
		Timeout:      aws.Int32(10),
	}
	for _, change := range changes {
		change(input)
	}
	made := must(client.CreateFunction(ctx, input))(t)
	t.Cleanup(func() {
		_, _ = client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: input.FunctionName})
	})
	equal(t, made.State, types.StatePending)
	untilActive(t, input.FunctionName, nil)
	return input.FunctionName
}

func untilActive(t *testing.T, name, qualifier *string) {
	t.Helper()
	waiter := lambda.NewFunctionActiveV2Waiter(client, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
	})
	input := &lambda.GetFunctionInput{FunctionName: name, Qualifier: qualifier}
	if err := waiter.Wait(ctx, input, within); err != nil {
		t.Fatal(err)
	}
}

func untilUpdated(t *testing.T, name *string) {
	t.Helper()
	waiter := lambda.NewFunctionUpdatedV2Waiter(client, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
	})
	if err := waiter.Wait(ctx, &lambda.GetFunctionInput{FunctionName: name}, within); err != nil {
		t.Fatal(err)
	}
}

// Publishes a version that differs from those before it by its description.
func publish(t *testing.T, name *string, description string) *string {
	t.Helper()
	must(client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: name, Description: aws.String(description),
	}))(t)
	untilUpdated(t, name)
	version := must(client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name}))(t)
	untilActive(t, name, version.Version)
	return version.Version
}
