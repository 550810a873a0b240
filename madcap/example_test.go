package madcap_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/muster-ha/muster/madcap"
)

// A server is a function from messages to answers; here one without a network.
func ExampleServer_Handle() {
	server, err := madcap.NewServer(madcap.ServerConfig{
		ID: netip.MustParseAddr("192.0.2.1"),
		Scopes: []madcap.ServedScope{{
			Scope: madcap.LocalScope(madcap.IPv4),
			Pools: []madcap.Span{{First: netip.MustParseAddr("239.255.8.1"), Last: netip.MustParseAddr("239.255.8.1")}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := madcap.Message{
		Type: madcap.TypeRequest, Family: madcap.IPv4, XID: 1,
		Options: []madcap.Option{
			madcap.NewLeaseID(), madcap.ScopeID{Addr: netip.MustParseAddr("239.255.0.0")}, madcap.LeaseTime(time.Hour),
		},
	}.Encode(madcap.InRequest)
	if err != nil {
		fmt.Println(err)
		return
	}
	reply := server.Handle(time.Now(), madcap.Packet{Data: request, From: netip.MustParseAddrPort("192.0.2.7:40000")})
	answer, err := madcap.Parse(reply)
	if err != nil {
		fmt.Println(err)
		return
	}
	ranges, _ := madcap.Get[madcap.RangeList](answer)
	length, _ := madcap.Get[madcap.LeaseTime](answer)
	fmt.Println(answer.Type, ranges[0], "for", time.Duration(length))
	// Output: ACK 239.255.8.1 for 1h0m0s
}
