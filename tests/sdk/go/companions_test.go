package sdk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// A policy that allows one action: for a principal and on a resource, if they are given.
func allow(principal, action, resource string) *string {
	statement := map[string]any{"Effect": "Allow", "Action": action}
	if principal != "" {
		kind, name, _ := strings.Cut(principal, "=")
		statement["Principal"] = map[string]string{kind: name}
	}
	if resource != "" {
		statement["Resource"] = resource
	}
	document, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	return aws.String(string(document))
}

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

// A user who may do what the policy says, and what their clients are made of.
func user(t *testing.T, policy *string) (*iamtypes.User, aws.Config) {
	t.Helper()
	users := iam.NewFromConfig(config)
	name := aws.String(unique("go"))
	made := must(users.CreateUser(ctx, &iam.CreateUserInput{
		UserName: name, Path: aws.String("/team/"), Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	}))(t).User
	must(users.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: name, PolicyName: aws.String("own"), PolicyDocument: policy,
	}))(t)
	key := must(users.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name}))(t).AccessKey
	t.Cleanup(func() {
		must(users.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("own")}))(t)
		must(users.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: key.AccessKeyId}))(t)
		must(users.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}))(t)
	})
	own := config.Copy()
	own.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKeyId, *key.SecretAccessKey, "")
	return made, own
}

func TestAUserMayWhatTheirPolicySays(t *testing.T) {
	name := create(t)
	made, own := user(t, allow("", "lambda:InvokeFunction", "arn:aws:lambda:*:*:function:"+*name))
	equal(t, *made.Arn, "arn:aws:iam::000000000000:user/team/"+*made.UserName)
	caller := must(sts.NewFromConfig(own).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	equal(t, *caller.UserId, *made.UserId)
	theirs := lambda.NewFromConfig(own)
	must(theirs.Invoke(ctx, &lambda.InvokeInput{FunctionName: name}))(t)
	_, err := theirs.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	denied := refused[smithy.APIError](t, err)
	equal(t, denied.ErrorCode(), "AccessDeniedException")
	contains(t, denied.ErrorMessage(), "is not authorized to perform: lambda:GetFunction on resource: ")
	_, err = iam.NewFromConfig(config).CreateUser(ctx, &iam.CreateUserInput{UserName: made.UserName})
	refused[*iamtypes.EntityAlreadyExistsException](t, err)
}

func TestARoleIsAssumed(t *testing.T) {
	roles := iam.NewFromConfig(config)
	role := aws.String(unique("go"))
	made := must(roles.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: role, AssumeRolePolicyDocument: allow("AWS=arn:aws:iam::000000000000:root", "sts:AssumeRole", ""),
	}))(t)
	t.Cleanup(func() {
		must(roles.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: aws.String("own")}))(t)
		must(roles.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role}))(t)
	})
	name := create(t)
	must(roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: role, PolicyName: aws.String("own"),
		PolicyDocument: allow("", "lambda:InvokeFunction", "arn:aws:lambda:*:*:function:"+*name),
	}))(t)
	_, own := user(t, allow("", "sts:AssumeRole", *made.Role.Arn))
	session := sts.NewFromConfig(own)
	own.Credentials = stscreds.NewAssumeRoleProvider(session, *made.Role.Arn, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "tester"
	})
	caller := must(sts.NewFromConfig(own).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	equal(t, *caller.Arn, "arn:aws:sts::000000000000:assumed-role/"+*role+"/tester")
	theirs := lambda.NewFromConfig(own)
	must(theirs.Invoke(ctx, &lambda.InvokeInput{FunctionName: name}))(t)
	_, err := theirs.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name})
	equal(t, refused[smithy.APIError](t, err).ErrorCode(), "AccessDeniedException")

	_, err = session.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: made.Role.Arn, RoleSessionName: aws.String("tester"), DurationSeconds: aws.Int32(4000),
	})
	equal(t, refused[smithy.APIError](t, err).ErrorCode(), "ValidationError")
	temporary := must(session.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}))(t)
	if left := time.Until(*temporary.Credentials.Expiration); left < time.Minute || left > 15*time.Minute {
		t.Fatal(left)
	}
	owner := must(sts.NewFromConfig(config).GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: temporary.Credentials.AccessKeyId}))(t)
	equal(t, *owner.Account, account)
}

func TestAFunctionHasARoleOfItsOwn(t *testing.T) {
	roles := iam.NewFromConfig(config)
	name := aws.String(unique("go"))
	made := must(roles.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: name, AssumeRolePolicyDocument: allow("Service=lambda.amazonaws.com", "sts:AssumeRole", ""),
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
