// Package delivery says what each way of delivery means for an address: the MAC that clients are told, and the group that hosts join. It
// is arithmetic on the bytes of the address, the same as that of Windows NLB, so switches that were set up for it go on.
//
// Usage: Of gives the addresses of one mode, All those of every mode; Parse and String turn modes into the words of the configuration
// file and back.
//
//	t := delivery.Of(delivery.IGMP, netip.MustParseAddr("10.77.0.100"))
//	t.MAC   // 01:00:5e:7f:00:64
//	t.Group // 239.255.0.100
//
// Two addresses may have one MAC: 10.1.3.4 and 10.2.3.4 by IGMP, for one. That costs hosts a frame that they drop, for the filter looks
// at the address of the packet too.
//
// Concurrency: there is no state; everything may be called from any goroutine.
//
// Failure behaviour: an address that is no unicast address has no MAC in any mode; a mode that this version does not know has none either.
// Nothing here does I/O.
package delivery
