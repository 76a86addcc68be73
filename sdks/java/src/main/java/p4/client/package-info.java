/** The client of the daemon of this machine ({@code p4 up}); begin with {@link p4.client.Client#connect()}. */
package p4.client;
