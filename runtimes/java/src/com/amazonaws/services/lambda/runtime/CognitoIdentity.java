package com.amazonaws.services.lambda.runtime;

/** Who called, by Amazon Cognito, if a mobile SDK did. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
