package sdk

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Posts to a function URL, signed by the SDK's own signer if there is a key to sign with.
func post(t *testing.T, address, body string, signer aws.CredentialsProvider) (int, string) {
	t.Helper()
	request := must(http.NewRequest("POST", address, strings.NewReader(body)))(t)
	request.Header.Set("Content-Type", "application/json")
	if signer != nil {
		keys := must(signer.Retrieve(ctx))(t)
		hash := sha256.Sum256([]byte(body))
		err := v4.NewSigner().SignHTTP(ctx, keys, request, hex.EncodeToString(hash[:]), "lambda", region, time.Now())
		if err != nil {
			t.Fatal(err)
		}
	}
	answer := must(web.Do(request))(t)
	defer answer.Body.Close()
	return answer.StatusCode, string(must(io.ReadAll(answer.Body))(t))
}

func TestAUrlForThoseWhoSign(t *testing.T) {
	name := create(t)
	made := must(client.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{
		FunctionName: name, AuthType: types.FunctionUrlAuthTypeAwsIam,
		Cors: &types.Cors{AllowOrigins: []string{"https://example.com"}, MaxAge: aws.Int32(60)},
	}))(t)
	address := *made.FunctionUrl + "some/path?q=a%20b"
	status, _ := post(t, address, `{"a":1}`, nil)
	equal(t, status, 403)
	status, body := post(t, address, `{"a":1}`, config.Credentials)
	equal(t, status, 200)
	contains(t, body, `"rawPath":"/some/path"`)
	contains(t, body, `"userArn":"arn:aws:iam::000000000000:root"`)

	found := must(client.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: name}))(t)
	equal(t, *found.Cors.MaxAge, 60)
	equal(t, found.InvokeMode, types.InvokeModeBuffered)
	page := must(lambda.NewListFunctionUrlConfigsPaginator(client, &lambda.ListFunctionUrlConfigsInput{
		FunctionName: name,
	}).NextPage(ctx))(t)
	equal(t, *page.FunctionUrlConfigs[0].FunctionUrl, *made.FunctionUrl)
	must(client.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: name}))(t)
	_, err := client.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: name})
	refused[*types.ResourceNotFoundException](t, err)
}

func TestAUrlForEverybody(t *testing.T) {
	name := create(t, func(input *lambda.CreateFunctionInput) { input.Handler = aws.String("index.streaming") })
	made := must(client.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{
		FunctionName: name, AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: types.InvokeModeResponseStream,
	}))(t)
	status, _ := post(t, *made.FunctionUrl, `{}`, nil)
	equal(t, status, 403)
	must(client.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: name, StatementId: aws.String("url"), Principal: aws.String("*"),
		Action: aws.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone,
	}))(t)
	must(client.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: name, StatementId: aws.String("invoke"), Principal: aws.String("*"),
		Action: aws.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: aws.Bool(true),
	}))(t)
	var body string
	eventually(t, func() bool {
		status, body = post(t, *made.FunctionUrl, `{"words":["one ","two"]}`, nil)
		return status == 200
	})
	equal(t, body, "one two")
}
