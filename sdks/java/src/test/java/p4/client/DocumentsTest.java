package p4.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** What the README and the example show works as it stands there. */
@Timeout(120)
@EnabledIfEnvironmentVariable(
        named = "P4_COMMAND", matches = ".+", disabledReason = "P4_COMMAND names no p4, so there is no daemon to ask")
final class DocumentsTest {
    private static final Path BASE = Path.of(System.getProperty("p4.basedir"));
    private static DevicePair pair;

    @TempDir
    Path directory;

    @BeforeAll
    static void start() throws Exception {
        pair = new DevicePair();
        pair.onPhone.contact("laptop").grant("chat");
    }

    @AfterAll
    static void stop() throws Exception {
        pair.close();
    }

    @Test
    void theFirstExampleOfTheReadmeRuns() throws Exception {
        Matcher example = Pattern.compile("```java\n// (\\w+)\\.java\n(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(BASE.resolve("README.md")));
        assertTrue(example.find());
        Path source = directory.resolve(example.group(1) + ".java");
        Files.writeString(source, example.group(2));
        Process process = java("-Duser.home=" + pair.laptop.home(), source.toString()).start();
        assertEquals("delivered: true\nconnected: true\n", output(process));
    }

    @Test
    void theChatSaysAndHears() throws Exception {
        String chat = BASE.resolve("examples/chat/Chat.java").toString();
        Process process = java(chat, "phone", pair.laptop.state().toString()).start();
        BufferedReader screen = process.inputReader(StandardCharsets.UTF_8);
        try (OutputStream keyboard = process.getOutputStream()) {
            keyboard.write("good morning\n".getBytes(StandardCharsets.UTF_8));
            keyboard.flush();
            for (String line = screen.readLine(); !"me: good morning".equals(line); line = screen.readLine()) {
                assertNotNull(line, "the chat has ended"); // before it stands what the other tests said
            }
            pair.onPhone.contact("laptop").chat().say("and \u001b[31myou");
            assertEquals("phone: and \u00b7[31myou", screen.readLine());
        }
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
        assertEquals(null, screen.readLine());
    }

    private ProcessBuilder java(String... words) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Dfile.encoding=UTF-8",
                "-Dstdout.encoding=UTF-8", "-XX:ActiveProcessorCount=1", "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C.UTF-8");
        return builder;
    }

    private static String output(Process process) throws IOException, InterruptedException {
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue(), text);
        return text.replace("\r\n", "\n");
    }
}
