package com.amazonaws.services.lambda.runtime;

/** A handler that takes and returns values, which are JSON outside. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
