/** What is common to the client of the daemon and to the core: the one exception. */
package p4;
