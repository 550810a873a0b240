package ping

import (
	"bytes"
	"encoding/binary"
)

// The ICMP messages of RFC 792 that matter here: type (1), code (1), checksum (2), identifier (2), sequence (2), data.
const (
	echoReply   = 0
	echoRequest = 8
	headerSize  = 8
	tokenSize   = 16
)

// request is an echo request with our token as its data. A ping socket fills in identifier and checksum itself.
func request(seq uint16, token [tokenSize]byte) []byte {
	b := make([]byte, headerSize, headerSize+tokenSize)
	b[0] = echoRequest
	copy(b[4:6], token[:2])
	binary.BigEndian.PutUint16(b[6:], seq)
	b = append(b, token[:]...)
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// checksum is the Internet checksum of RFC 1071 over an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// isAnswer reports whether a packet is an echo reply with our token. Go takes the IPv4 header off what a raw socket receives. The kernel has
// checked the sum; the token is what nobody who has not seen the request can know.
func isAnswer(b []byte, token [tokenSize]byte) bool {
	return len(b) == headerSize+tokenSize && b[0] == echoReply && b[1] == 0 && bytes.Equal(b[headerSize:], token[:])
}
