/**
 * What functions are compiled against, by the names and signatures of AWS's {@code aws-lambda-java-core}, declared again. It
 * stands before the function's own jars on the class path, as AWS's does in its runtimes, so one set of interfaces serves
 * the loop and the function, and functions that brought none find one.
 */
package com.amazonaws.services.lambda.runtime;
