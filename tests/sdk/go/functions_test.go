package sdk

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestAFunctionsLife(t *testing.T) {
	name := create(t, func(input *lambda.CreateFunctionInput) {
		input.Description = aws.String("first")
		input.MemorySize = aws.Int32(256)
		input.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(1024)}
		input.Environment = &types.Environment{Variables: map[string]string{"WORD": "hello"}}
		input.LoggingConfig = &types.LoggingConfig{
			LogFormat: types.LogFormatJson, ApplicationLogLevel: types.ApplicationLogLevelWarn,
		}
		input.Tags = map[string]string{"team": "orders"}
	})
	found := must(client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name}))(t)
	equal(t, *found.Configuration.MemorySize, 256)
	equal(t, *found.Configuration.EphemeralStorage.Size, 1024)
	equal(t, found.Configuration.Environment.Variables["WORD"], "hello")
	equal(t, found.Configuration.LoggingConfig.ApplicationLogLevel, types.ApplicationLogLevelWarn)
	equal(t, found.Configuration.Runtime, types.RuntimeNodejs20x)
	equal(t, found.Configuration.LastUpdateStatus, types.LastUpdateStatusSuccessful)
	equal(t, found.Tags["team"], "orders")
	equal(t, *found.Code.RepositoryType, "S3")

	before := found.Configuration.RevisionId
	updated := must(client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
		FunctionName: name, ZipFile: archive(t), RevisionId: before,
	}))(t)
	equal(t, updated.CodeSize, int64(len(archive(t))))
	untilUpdated(t, name)
	_, err := client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
		FunctionName: name, ZipFile: archive(t), RevisionId: before,
	})
	refused[*types.PreconditionFailedException](t, err)

	must(client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name}))(t)
	_, err = client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	refusal := refused[*types.ResourceNotFoundException](t, err)
	equal(t, *refusal.Type, "User")
	contains(t, *refusal.Message, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:")
}

func TestFunctionsAreListedInPages(t *testing.T) {
	var made, listed []string
	for range 3 {
		made = append(made, *create(t))
	}
	pages := lambda.NewListFunctionsPaginator(client, &lambda.ListFunctionsInput{}, func(o *lambda.ListFunctionsPaginatorOptions) {
		o.Limit = 2
		o.StopOnDuplicateToken = true
	})
	for pages.HasMorePages() {
		page := must(pages.NextPage(ctx))(t)
		if len(page.Functions) > 2 {
			t.Fatalf("%d on a page of 2", len(page.Functions))
		}
		for _, function := range page.Functions {
			listed = append(listed, *function.FunctionName)
		}
	}
	for _, name := range made {
		if !slices.Contains(listed, name) {
			t.Fatalf("%s is not listed", name)
		}
	}
}

func TestVersionsAndAliases(t *testing.T) {
	name := create(t)
	for _, word := range []string{"one", "two", "three"} {
		publish(t, name, word)
	}
	var versions []string
	pages := lambda.NewListVersionsByFunctionPaginator(client, &lambda.ListVersionsByFunctionInput{
		FunctionName: name, MaxItems: aws.Int32(2),
	})
	for pages.HasMorePages() {
		for _, version := range must(pages.NextPage(ctx))(t).Versions {
			versions = append(versions, *version.Version)
		}
	}
	if !slices.Equal(versions, []string{"$LATEST", "1", "2", "3"}) {
		t.Fatal(versions)
	}

	made := must(client.CreateAlias(ctx, &lambda.CreateAliasInput{
		FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.25}},
	}))(t)
	equal(t, made.RoutingConfig.AdditionalVersionWeights["2"], 0.25)
	answer := must(client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Qualifier: aws.String("live")}))(t)
	if *answer.ExecutedVersion != "1" && *answer.ExecutedVersion != "2" {
		t.Fatal(*answer.ExecutedVersion)
	}
	must(client.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("3"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	}))(t)
	aliases := lambda.NewListAliasesPaginator(client, &lambda.ListAliasesInput{FunctionName: name})
	page := must(aliases.NextPage(ctx))(t)
	equal(t, len(page.Aliases), 1)
	equal(t, *page.Aliases[0].FunctionVersion, "3")
	equal(t, page.Aliases[0].RoutingConfig, nil)

	_, err := client.CreateAlias(ctx, &lambda.CreateAliasInput{
		FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1"),
	})
	refused[*types.ResourceConflictException](t, err)
	_, err = client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("3")})
	refused[*types.ResourceConflictException](t, err)
	must(client.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: name, Name: aws.String("live")}))(t)
	must(client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("3")}))(t)
}

func TestTags(t *testing.T) {
	name := create(t)
	arn := must(client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name}))(t).FunctionArn
	must(client.TagResource(ctx, &lambda.TagResourceInput{
		Resource: arn, Tags: map[string]string{"a": "1", "b/c d": "ü & more"},
	}))(t)
	tags := must(client.ListTags(ctx, &lambda.ListTagsInput{Resource: arn}))(t).Tags
	equal(t, tags["b/c d"], "ü & more")
	must(client.UntagResource(ctx, &lambda.UntagResourceInput{Resource: arn, TagKeys: []string{"b/c d"}}))(t)
	tags = must(client.ListTags(ctx, &lambda.ListTagsInput{Resource: arn}))(t).Tags
	equal(t, len(tags), 1)
	equal(t, tags["a"], "1")
}

func TestRefusalsHaveTypes(t *testing.T) {
	name := create(t)
	input := &lambda.CreateFunctionInput{
		FunctionName: name, Role: aws.String(role), Runtime: types.RuntimeNodejs20x,
		Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: archive(t)},
	}
	_, err := client.CreateFunction(ctx, input)
	contains(t, *refused[*types.ResourceConflictException](t, err).Message, "Function already exist: "+*name)
	input.FunctionName, input.Runtime = aws.String(unique("go")), "cobol85"
	_, err = client.CreateFunction(ctx, input)
	contains(t, *refused[*types.InvalidParameterValueException](t, err).Message, "cobol85")
}
