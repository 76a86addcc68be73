/** Figures of this library on this machine. */
package p4.bench;
