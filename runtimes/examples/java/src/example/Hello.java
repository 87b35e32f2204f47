package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.LinkedHashMap;
import java.util.Map;

/** Says hello. Handler: example.Hello */
public class Hello implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        Object name = event == null ? "world" : event.getOrDefault("name", "world");
        context.getLogger().log("saying hello to " + name + "\n");
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("message", "Hello, " + name + "!");
        answer.put("runtime", System.getenv("AWS_EXECUTION_ENV"));
        answer.put("request", context.getAwsRequestId());
        return answer;
    }
}
