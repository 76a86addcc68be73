package p4.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The records are those of the daemon's openapi.json: their members, and what these may be. */
final class OpenApiTest {
    private static JsonNode schemas;

    @BeforeAll
    static void read() throws IOException {
        Path document = Path.of(System.getProperty("p4.basedir"), "../../spec/daemon-api/openapi.json");
        schemas = Wire.MAPPER.readTree(Files.readAllBytes(document)).at("/components/schemas");
    }

    @ParameterizedTest
    @CsvSource({
        "ChatLine, EntryModel", "ContactName, ContactName", "ContactStatus, ContactModel",
        "DeviceIdentity, IdentityModel", "DeviceInvite, InviteModel", "DeviceStatus, StatusModel",
        "ServiceUse, ServiceModel", "TokenRecord, MadeTokenModel", "Verification, VerificationModel"})
    void aRecordHasTheMembersOfItsSchema(String name, String schema) throws ClassNotFoundException {
        RecordComponent[] members = Class.forName("p4.client." + name).getRecordComponents();
        JsonNode properties = schemas.path(schema).path("properties");
        Set<String> wanted = new TreeSet<>();
        properties.fieldNames().forEachRemaining(wanted::add);
        assertEquals(wanted, Arrays.stream(members).map(OpenApiTest::snake).collect(Collectors.toCollection(TreeSet::new)));
        for (RecordComponent member : members) {
            String kinds = kinds(properties.path(snake(member)));
            assertTrue(fits(member.getType(), kinds), name + "." + member.getName() + " is " + kinds);
        }
    }

    private static String snake(RecordComponent member) {
        return member.getName().replaceAll("([A-Z])", "_$1").toLowerCase(java.util.Locale.ROOT);
    }

    /** What the document says that a member may be, such as {@code integer null}. */
    private static String kinds(JsonNode property) {
        if (!property.has("anyOf")) {
            return property.path("type").asText("object");
        }
        return StreamSupport.stream(property.get("anyOf").spliterator(), false)
                .map(OpenApiTest::kinds).collect(Collectors.joining(" "));
    }

    private static boolean fits(Class<?> type, String kinds) {
        boolean absent = kinds.contains("null");
        return switch (kinds.replace(" null", "")) {
            case "string" -> type == String.class;
            case "boolean" -> type == (absent ? Boolean.class : boolean.class);
            case "integer" -> type == (absent ? Long.class : long.class) || type == int.class;
            case "number" -> type == (absent ? Double.class : double.class);
            case "array" -> type == java.util.List.class;
            default -> type == java.util.Map.class || type == JsonNode.class || type.isRecord();
        };
    }
}
