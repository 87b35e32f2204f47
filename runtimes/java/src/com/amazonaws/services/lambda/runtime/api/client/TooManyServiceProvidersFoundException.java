package com.amazonaws.services.lambda.runtime.api.client;

/** A function brings more than one serializer of its own. By AWS's name, which the caller is told as the error's type. */
public class TooManyServiceProvidersFoundException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public TooManyServiceProvidersFoundException(String message) {
        super(message);
    }
}
