package p4.client;

/**
 * Who a contact is.
 *
 * @param id names it for ever
 * @param name as the user calls it; may be empty
 */
public record ContactName(String id, String name) {
    /**
     * What to show.
     *
     * @return the name, or the id of a contact that has none
     */
    public String label() {
        return name == null || name.isEmpty() ? id : name;
    }
}
