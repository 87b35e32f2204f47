package sdk

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestLayers(t *testing.T) {
	var content bytes.Buffer
	writer := zip.NewWriter(&content)
	file := must(writer.Create("words.txt"))(t)
	must(file.Write([]byte("from a layer")))(t)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	layer := aws.String(unique("go"))
	made := must(client.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
		LayerName: layer, Content: &types.LayerVersionContentInput{ZipFile: content.Bytes()},
		CompatibleRuntimes: []types.Runtime{types.RuntimeNodejs20x},
	}))(t)
	t.Cleanup(func() {
		_, _ = client.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: layer, VersionNumber: aws.Int64(1)})
	})
	equal(t, made.Version, 1)
	name := create(t, func(input *lambda.CreateFunctionInput) { input.Layers = []string{*made.LayerVersionArn} })
	answer := must(client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: name, Payload: []byte(`{"read":"/opt/words.txt"}`),
	}))(t)
	equal(t, string(answer.Payload), `"from a layer"`)

	found := must(client.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: made.LayerVersionArn}))(t)
	equal(t, found.Content.CodeSize, int64(content.Len()))
	page := must(lambda.NewListLayerVersionsPaginator(client, &lambda.ListLayerVersionsInput{LayerName: layer}).NextPage(ctx))(t)
	equal(t, *page.LayerVersions[0].LayerVersionArn, *made.LayerVersionArn)
	must(client.AddLayerVersionPermission(ctx, &lambda.AddLayerVersionPermissionInput{
		LayerName: layer, VersionNumber: aws.Int64(1), StatementId: aws.String("all"), Principal: aws.String("*"),
		Action: aws.String("lambda:GetLayerVersion"),
	}))(t)
	policy := must(client.GetLayerVersionPolicy(ctx, &lambda.GetLayerVersionPolicyInput{LayerName: layer, VersionNumber: aws.Int64(1)}))(t)
	contains(t, *policy.Policy, `"Sid":"all"`)
}

func TestPolicies(t *testing.T) {
	name := create(t)
	made := must(client.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: name, StatementId: aws.String("bucket"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::photos"),
		SourceAccount: aws.String(account),
	}))(t)
	var statement struct{ Sid string }
	if err := json.Unmarshal([]byte(*made.Statement), &statement); err != nil {
		t.Fatal(err)
	}
	equal(t, statement.Sid, "bucket")
	found := must(client.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name}))(t)
	contains(t, *found.Policy, "arn:aws:s3:::photos")
	must(client.RemovePermission(ctx, &lambda.RemovePermissionInput{
		FunctionName: name, StatementId: aws.String("bucket"), RevisionId: found.RevisionId,
	}))(t)
	_, err := client.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name})
	refused[*types.ResourceNotFoundException](t, err)
}

func TestConcurrency(t *testing.T) {
	name := create(t)
	version := publish(t, name, "one")
	must(client.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
		FunctionName: name, ReservedConcurrentExecutions: aws.Int32(5),
	}))(t)
	reserved := must(client.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: name}))(t)
	equal(t, *reserved.ReservedConcurrentExecutions, 5)
	put := must(client.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: name, Qualifier: version, ProvisionedConcurrentExecutions: aws.Int32(1),
	}))(t)
	equal(t, put.Status, types.ProvisionedConcurrencyStatusEnumInProgress)
	eventually(t, func() bool {
		found := must(client.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{
			FunctionName: name, Qualifier: version,
		}))(t)
		return found.Status == types.ProvisionedConcurrencyStatusEnumReady
	})
	page := must(lambda.NewListProvisionedConcurrencyConfigsPaginator(client,
		&lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: name}).NextPage(ctx))(t)
	equal(t, *page.ProvisionedConcurrencyConfigs[0].AvailableProvisionedConcurrentExecutions, 1)
	must(client.DeleteProvisionedConcurrencyConfig(ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{
		FunctionName: name, Qualifier: version,
	}))(t)
	_, err := client.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{
		FunctionName: name, Qualifier: version,
	})
	refused[*types.ProvisionedConcurrencyConfigNotFoundException](t, err)
	limits := must(client.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{}))(t)
	equal(t, limits.AccountLimit.ConcurrentExecutions, 1000)
}

func TestEventInvokeConfigs(t *testing.T) {
	name := create(t)
	made := must(client.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: name, MaximumRetryAttempts: aws.Int32(0), MaximumEventAgeInSeconds: aws.Int32(60),
	}))(t)
	if made.LastModified.Year() < 2024 {
		t.Fatal(made.LastModified)
	}
	must(client.UpdateFunctionEventInvokeConfig(ctx, &lambda.UpdateFunctionEventInvokeConfigInput{
		FunctionName: name, MaximumRetryAttempts: aws.Int32(1),
	}))(t)
	found := must(client.GetFunctionEventInvokeConfig(ctx, &lambda.GetFunctionEventInvokeConfigInput{FunctionName: name}))(t)
	equal(t, *found.MaximumRetryAttempts, 1)
	equal(t, *found.MaximumEventAgeInSeconds, 60)
	page := must(lambda.NewListFunctionEventInvokeConfigsPaginator(client,
		&lambda.ListFunctionEventInvokeConfigsInput{FunctionName: name}).NextPage(ctx))(t)
	equal(t, len(page.FunctionEventInvokeConfigs), 1)
	must(client.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: name}))(t)
}

func TestEventSourceMappings(t *testing.T) {
	name := create(t)
	made := must(client.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{
		FunctionName: name, EventSourceArn: aws.String("arn:aws:sqs:us-east-1:000000000000:" + *name),
		BatchSize: aws.Int32(5), Enabled: aws.Bool(false),
		FilterCriteria: &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"body":{"a":[1]}}`)}}},
	}))(t)
	t.Cleanup(func() {
		_, _ = client.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
	})
	if made.LastModified.Year() < 2024 {
		t.Fatal(made.LastModified)
	}
	changed := must(client.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{
		UUID: made.UUID, BatchSize: aws.Int32(7),
	}))(t)
	equal(t, *changed.BatchSize, 7)
	found := must(client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: made.UUID}))(t)
	equal(t, *found.FilterCriteria.Filters[0].Pattern, `{"body":{"a":[1]}}`)
	page := must(lambda.NewListEventSourceMappingsPaginator(client,
		&lambda.ListEventSourceMappingsInput{FunctionName: name}).NextPage(ctx))(t)
	equal(t, *page.EventSourceMappings[0].UUID, *made.UUID)
	gone := must(client.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: made.UUID}))(t)
	equal(t, *gone.State, "Deleting")
	eventually(t, func() bool {
		_, err := client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: made.UUID})
		if err != nil {
			refused[*types.ResourceNotFoundException](t, err)
		}
		return err != nil
	})
}

func TestCodeSigning(t *testing.T) {
	profile := "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"
	made := must(client.CreateCodeSigningConfig(ctx, &lambda.CreateCodeSigningConfigInput{
		AllowedPublishers: &types.AllowedPublishers{SigningProfileVersionArns: []string{profile}},
	}))(t).CodeSigningConfig
	arn := made.CodeSigningConfigArn
	t.Cleanup(func() {
		_, _ = client.DeleteCodeSigningConfig(ctx, &lambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: arn})
	})
	name := create(t, func(input *lambda.CreateFunctionInput) { input.CodeSigningConfigArn = arn })
	page := must(lambda.NewListFunctionsByCodeSigningConfigPaginator(client,
		&lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: arn}).NextPage(ctx))(t)
	equal(t, len(page.FunctionArns), 1)
	must(client.UpdateCodeSigningConfig(ctx, &lambda.UpdateCodeSigningConfigInput{
		CodeSigningConfigArn: arn, CodeSigningPolicies: &types.CodeSigningPolicies{
			UntrustedArtifactOnDeployment: types.CodeSigningPolicyEnforce,
		},
	}))(t)
	_, err := client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: archive(t)})
	refused[*types.CodeVerificationFailedException](t, err)
	must(client.DeleteFunctionCodeSigningConfig(ctx, &lambda.DeleteFunctionCodeSigningConfigInput{FunctionName: name}))(t)
}
