package com.amazonaws.services.lambda.runtime;

import lambent.runtime.FunctionLog;

/** Where logging libraries find the function's log outside of an invoke. */
public final class LambdaRuntime {
    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return FunctionLog.INSTANCE;
    }
}
