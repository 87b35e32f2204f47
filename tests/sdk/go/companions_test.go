package sdk

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
	"Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// Waits until a function has printed a word, and gives the events that have it.
func printed(t *testing.T, logs *cloudwatchlogs.Client, group *string, word string) []logstypes.FilteredLogEvent {
	t.Helper()
	var found []logstypes.FilteredLogEvent
	eventually(t, func() bool {
		found = nil
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(logs, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: group, FilterPattern: aws.String(fmt.Sprintf("%q", word)),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				refused[*logstypes.ResourceNotFoundException](t, err)
				return false
			}
			found = append(found, page.Events...)
		}
		return len(found) > 0
	})
	return found
}

func TestWhatAFunctionPrintsIsInItsLog(t *testing.T) {
	logs := cloudwatchlogs.NewFromConfig(config)
	name := create(t)
	word := unique("printed")
	event := fmt.Appendf(nil, `{"print":%q}`, word)
	must(client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: event}))(t)
	group := aws.String("/aws/lambda/" + *name)
	found := printed(t, logs, group, word)
	equal(t, len(found), 1)
	contains(t, *found[0].Message, word)
	streams := must(cloudwatchlogs.NewDescribeLogStreamsPaginator(logs, &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: group, OrderBy: logstypes.OrderByLastEventTime, Descending: aws.Bool(true),
	}).NextPage(ctx))(t)
	equal(t, *streams.LogStreams[0].LogStreamName, *found[0].LogStreamName)

	var messages []string
	pages := cloudwatchlogs.NewGetLogEventsPaginator(logs, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: group, LogStreamName: found[0].LogStreamName, StartFromHead: aws.Bool(true), Limit: aws.Int32(2),
	}, func(o *cloudwatchlogs.GetLogEventsPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		for _, event := range must(pages.NextPage(ctx))(t).Events {
			messages = append(messages, *event.Message)
		}
	}
	contains(t, fmt.Sprint(messages), "START RequestId")
	contains(t, fmt.Sprint(messages), word)
	must(logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}))(t)
}

func TestAnEventIsInvokedLater(t *testing.T) {
	name := create(t)
	word := unique("printed")
	answer := must(client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: name, InvocationType: types.InvocationTypeEvent, Payload: fmt.Appendf(nil, `{"print":%q}`, word),
	}))(t)
	equal(t, answer.StatusCode, 202)
	printed(t, cloudwatchlogs.NewFromConfig(config), aws.String("/aws/lambda/"+*name), word)
}

func TestTheCallerIsWhoSigned(t *testing.T) {
	caller := must(sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	equal(t, *caller.Account, account)
	equal(t, *caller.Arn, "arn:aws:iam::000000000000:root")
}

func TestAUserMayWhatTheirPolicySays(t *testing.T) {
	users := iam.NewFromConfig(config)
	user := aws.String(unique("go"))
	made := must(users.CreateUser(ctx, &iam.CreateUserInput{
		UserName: user, Path: aws.String("/team/"), Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	}))(t)
	equal(t, *made.User.Arn, "arn:aws:iam::000000000000:user/team/"+*user)
	key := must(users.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user}))(t).AccessKey
	t.Cleanup(func() {
		must(users.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("own")}))(t)
		must(users.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: key.AccessKeyId}))(t)
		must(users.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user}))(t)
	})
	own := config.Copy()
	own.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKeyId, *key.SecretAccessKey, "")
	caller := must(sts.NewFromConfig(own).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	equal(t, *caller.UserId, *made.User.UserId)

	name := create(t)
	theirs := lambda.NewFromConfig(own)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:InvokeFunction",
		"Resource":"arn:aws:lambda:*:*:function:%s"}}`, *name)
	must(users.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: user, PolicyName: aws.String("own"), PolicyDocument: aws.String(policy),
	}))(t)
	eventually(t, func() bool {
		_, err := theirs.Invoke(ctx, &lambda.InvokeInput{FunctionName: name})
		return err == nil
	})
	_, err := theirs.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	denied := refused[smithy.APIError](t, err)
	equal(t, denied.ErrorCode(), "AccessDeniedException")
	contains(t, denied.ErrorMessage(), "is not authorized to perform: lambda:GetFunction on resource: ")
	_, err = users.CreateUser(ctx, &iam.CreateUserInput{UserName: user})
	refused[*iamtypes.EntityAlreadyExistsException](t, err)
}

func TestAFunctionHasTheRoleOfItsOwn(t *testing.T) {
	roles := iam.NewFromConfig(config)
	name := aws.String(unique("go"))
	made := must(roles.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: name, AssumeRolePolicyDocument: aws.String(trust),
	}))(t)
	managed := aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
	must(roles.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: managed}))(t)
	t.Cleanup(func() {
		must(roles.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: managed}))(t)
		must(roles.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))(t)
	})
	waiter := iam.NewRoleExistsWaiter(roles)
	if err := waiter.Wait(ctx, &iam.GetRoleInput{RoleName: name}, within); err != nil {
		t.Fatal(err)
	}
	attached := must(iam.NewListAttachedRolePoliciesPaginator(roles,
		&iam.ListAttachedRolePoliciesInput{RoleName: name}).NextPage(ctx))(t)
	equal(t, *attached.AttachedPolicies[0].PolicyArn, *managed)
	function := create(t, func(input *lambda.CreateFunctionInput) { input.Role = made.Role.Arn })
	found := must(client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: function}))(t)
	equal(t, *found.Role, *made.Role.Arn)
	_, err := roles.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	refused[*iamtypes.DeleteConflictException](t, err)
	_, err = roles.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(unique("none"))})
	refused[*iamtypes.NoSuchEntityException](t, err)
}
