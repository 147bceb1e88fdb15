package dev.whirlwind.cli;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** Runs one command after the other in the folder that it was started in: a line of JSON each way for every one. */
final class CommandLoop {
    record Request(List<String> args, String input) {}

    private CommandLoop() {}

    static void main() throws IOException {
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = System.out;
        JsonMapper json = JsonMapper.shared();
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            Request request = json.readValue(line, Request.class);
            System.setIn(new ByteArrayInputStream(request.input().getBytes(StandardCharsets.UTF_8)));
            Cli.Result result = Cli.run(request.args().toArray());
            answers.println(
                    json.writeValueAsString(Map.of("code", result.code(), "out", result.out(), "err", result.err())));
        }
    }
}
