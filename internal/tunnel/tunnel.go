package tunnel

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// Bytes of the headers that wrapping adds between the two IP headers: UDP (RFC 768), VXLAN (RFC 7348, section 5) and the inner Ethernet header.
const (
	udpHeader   = 8
	vxlanHeader = 8
	ethernet    = 14
)

// Bytes of an IP header without options (RFC 791, RFC 8200).
const (
	ip4Header = 20
	ip6Header = 40
)

// LeastMTU is the smallest path that is believed in, in bytes: every link that carries IPv6 takes it (RFC 8200, section 5). What is said to be
// narrower is an error or a lie; packets are cut on such a way.
const LeastMTU = 1280

// Overhead is how many bytes a packet grows by on its way between two hosts with addresses of this kind.
func Overhead(host netip.Addr) int {
	if host.Is6() {
		return ip6Header + udpHeader + vxlanHeader + ethernet
	}
	return ip4Header + udpHeader + vxlanHeader + ethernet
}

// VNI is a cluster's number in VXLAN headers: 24 bits of a hash of its name, never 0. It tells clusters apart in a capture and keeps a host
// from taking in what is meant for another cluster; it is no secret.
func VNI(cluster string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(cluster)) // never fails
	sum := binary.BigEndian.AppendUint32(nil, h.Sum32())
	return max(1, uint32(sum[0]^sum[3])<<16|uint32(sum[1])<<8|uint32(sum[2]))
}
