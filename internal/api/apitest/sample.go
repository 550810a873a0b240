package apitest

import (
	"time"

	"github.com/muster-ha/muster/internal/api"
)

// Sample is a status with one of everything.
func Sample() api.Status {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return api.Status{
		Cluster: "shop", Host: "a", Version: "v1.2.3", State: api.StateServing, Epoch: 17,
		Language: api.LanguageStatus{Version: 1, Why: "host b speaks no higher one"},
		View:     api.ViewStatus{Epoch: 17, Proposer: "a", Members: []string{"a", "b"}},
		Config:   api.ConfigStatus{Path: "/etc/muster/muster.yaml", Digest: "1a2b3c4d5e6f7081", Pending: "99aabbccddeeff00"},
		Hosts:    sampleHosts(),
		VIPs:     sampleVIPs(),
		Checks: []api.CheckStatus{
			{Name: "app", State: "down", Why: "2 failures in a row", Since: &at, Last: &api.Transcript{At: at, TookMS: 400, Text: "GET http://127.0.0.1/\ntimeout after 400 ms \x1b[31m"}},
			{Name: "new", State: "unknown", Why: "not probed yet"},
			{Name: "web", State: "up", Since: &at, Last: &api.Transcript{At: at, TookMS: 1.25, Good: true, Text: "GET http://127.0.0.1/\n200 OK"}},
		},
		Networks:  sampleNetworks(at),
		Filter:    api.FilterStatus{Armed: true, Hook: "tcx", Accelerated: []string{"eth0"}, LeaseMS: new(187.5), Counters: map[string]uint64{"accept": 1200, "forward": 800, "drop": 3}},
		Datagrams: api.DatagramStatus{Sent: 5000, Accepted: 9800, Refused: map[string]uint64{"replay": 2, "seal": 1}, From: map[string]string{}},
		BGP: []api.BGPStatus{
			{Neighbor: "tor1", Address: "10.77.0.254", AS: 64513, Up: true, Since: &at, Announced: []string{"203.0.113.10/32"}},
			{Neighbor: "tor2", Address: "10.77.0.253", AS: 64513, Why: "it refuses connections to TCP port 179", Remedy: "start BGP on the router", Announced: []string{}},
		},
		Parameters: []api.ParameterStatus{{Name: "disabled", OldName: "MulticastClusterDisabled", Type: "true or false", Value: "false", Source: api.FromDefault, Default: "false", Writable: true}},
		Overrides: []api.OverrideStatus{{Network: "lan", Parameter: "address", Value: "239.255.7.9", File: "239.1.1.1", SetOn: "b", SetAt: at,
			Text: "network lan: address is 239.255.7.9 by hand, set on host b at 2026-03-01T12:00:00Z (the file says 239.1.1.1)", Undo: "muster network set lan address="}},
		Timer: api.TimerStatus{Scheduling: "nice -19", Ticks: 5990, MedianMS: 0.128, P99MS: 2.048, WorstMS: 7.25, LongestMS: 3.5, Longest: "order"},
		Duplicates: []api.DuplicateStatus{{Address: "10.77.0.100", What: "10.77.0.100 (VIP web)", MAC: "02:00:00:00:09:09", Source: "02:00:00:00:09:09",
			Where: "on eth0, known there as 10.77.0.50", Since: at, HeardAgoMS: 800, Claims: 3, Policy: "announced again every 10s by the host that answers for it"}},
		Problems: []api.Problem{
			{About: "host b", What: "its configuration is another one (77c0ffee77c0ffee)", Remedy: "copy the file of one host to all, then `muster reload` on each"},
			{About: "host c", What: "silent for 4.2 s", Remedy: "look at its power, its network and `systemctl status muster` there"},
		},
	}
}

func sampleNetworks(at time.Time) []api.NetworkStatus {
	networks := []api.NetworkStatus{
		{Name: "lan", Interface: "eth0", Address: "10.77.0.1", Up: true, Datagrams: api.DatagramStatus{Sent: 2500, Accepted: 4900, Refused: map[string]uint64{"replay": 2, "seal": 1}},
			Peers: []api.NetworkPeer{
				{Host: "b", Address: "10.77.0.2", State: api.PeerHeard, HeardAgoMS: new(12.0), LossPercent: new(0.5), DelayMS: new(0.31), JitterMS: new(0.02)},
				{Host: "c", Address: "10.77.0.3", State: api.PeerSilent, HeardAgoMS: new(4200.0), LossPercent: new(0.0), JitterMS: new(0.05)},
				{Host: "d", Address: "10.77.0.4", State: api.PeerUnknown}},
			Hearing: []api.NetworkHearing{{Host: "a", Known: true, Hears: []string{"b"}, Deaf: []string{}}, {Host: "b", Known: true, Hears: []string{}, Deaf: []string{"a"}}, {Host: "c", Hears: []string{}, Deaf: []string{}}, {Host: "d", Hears: []string{}, Deaf: []string{}}},
			Multicast: api.MulticastStatus{Used: true, Why: "the cluster has 4 members and all can", Group: "239.255.7.9", How: "MADCAP lease", Stranger: true,
				MADCAP: "renewed at 2026-03-01T18:00:00Z", Lease: &api.LeaseStatus{Address: "239.255.7.9", Server: "10.77.0.250", Scope: "239.255.0.0", ID: "00a1b2c3d4e5f60718293a4b5c6d7e8f90",
					Obtained: at.Add(-6 * time.Hour), Renewed: at.Add(6 * time.Hour), Expires: at.Add(18 * time.Hour), Keeper: "a"},
				Datagrams: api.DatagramStatus{Sent: 2400, Accepted: 2300, Refused: map[string]uint64{"cluster": 3}},
				Hearing:   []api.MulticastHearing{{Host: "a", Known: true, Hears: []string{"b"}}, {Host: "b", Known: true, Deaf: []string{"a"}}, {Host: "c"}, {Host: "d"}}}},
		{Name: "cross", Number: 1, Interface: "eth1", Address: "10.78.0.1", Up: true, Datagrams: api.DatagramStatus{Sent: 2500, Accepted: 4900, Refused: map[string]uint64{}},
			Peers: []api.NetworkPeer{
				{Host: "b", Address: "10.78.0.2", State: api.PeerHeard, HeardAgoMS: new(12.5), LossPercent: new(31.0), DelayMS: new(0.12), JitterMS: new(0.01)},
				{Host: "c", State: api.PeerUnknown}, {Host: "d", State: api.PeerUnknown}},
			Multicast: api.MulticastStatus{Why: "it is disabled", How: "none", MADCAP: "not asked for: multicast is disabled", Warning: "address 10.0.0.1 is no group address: the hosts choose one"}},
		{Name: "spare", Number: 3, Interface: "eth2", Why: "find interface eth2: no such network interface", Datagrams: api.DatagramStatus{Refused: map[string]uint64{}},
			Peers: []api.NetworkPeer{{Host: "b", State: api.PeerUnknown}, {Host: "c", State: api.PeerUnknown}, {Host: "d", State: api.PeerUnknown}}},
	}
	networks[0].Parameters = sampleParameters()
	networks[0].Datagrams.From = map[string]string{"seal": "10.77.0.9:3343"}
	for i := range networks { // an agent says empty lists
		networks[i].Hearing = append([]api.NetworkHearing{}, networks[i].Hearing...)
		networks[i].Parameters = append([]api.ParameterStatus{}, networks[i].Parameters...)
		if networks[i].Datagrams.From == nil {
			networks[i].Datagrams.From = map[string]string{}
		}
		m := &networks[i].Multicast
		if m.Datagrams.Refused == nil {
			m.Datagrams.Refused = map[string]uint64{}
		}
		m.Datagrams.From = map[string]string{}
		m.Hearing = append([]api.MulticastHearing{}, m.Hearing...)
		for j := range m.Hearing {
			m.Hearing[j].Hears = append([]string{}, m.Hearing[j].Hears...)
			m.Hearing[j].Deaf = append([]string{}, m.Hearing[j].Deaf...)
		}
	}
	return networks
}

// sampleParameters has one of each source, and one that cannot be set.
func sampleParameters() []api.ParameterStatus {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return []api.ParameterStatus{
		{Name: "address", OldName: "MulticastAddress", Type: "group address", Value: "239.255.7.9", Source: api.FromOverride, Default: "chosen by the hosts", File: "239.1.1.1",
			Writable: true, SetOn: "b", SetAt: &at},
		{Name: "range-lower", OldName: "MulticastAddressRangeLower", Type: "group address", Value: "239.1.0.0", Source: api.FromFile, Default: "239.255.0.0", File: "239.1.0.0", Writable: true},
		{Name: "madcap", Type: "true or false", Value: "true", Source: api.FromDefault, Default: "true", Writable: true},
		{Name: "disabled", OldName: "MulticastDisabled", Type: "true or false", Value: "false", Source: api.FromDefault, Default: "false", Writable: true},
		{Name: "config-type", OldName: "MulticastConfigType", Type: "text", Value: "manual (0)", Source: api.FromCluster, Default: "none", Why: "it says how the address was found"},
	}
}

func sampleHosts() []api.HostStatus {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return []api.HostStatus{
		{Name: "a", Address: "10.77.0.1", State: api.StateServing, Weight: 1, Boot: "00000000000000a1", Version: "v1.2.3", Speaks: &api.SpeaksStatus{Lowest: 1, Highest: 2, Written: 1}, ConfigDigest: "1a2b3c4d5e6f7081",
			ConfigDiffers: new(false), Directs: []string{"web"}, Holds: new(0),
			Shares: []api.Share{{VIP: "web", Rule: "tcp 80,443", Buckets: 4096, Percent: 100}}},
		{Name: "b", Address: "10.77.0.2", State: api.StateDrained, Why: "drained by order", Boot: "00000000000000b2", HeardAgoMS: new(12.0), LossPercent: new(0.5), DelayMS: new(0.31),
			Order: &api.HostOrderStatus{State: "draining", StopsAt: new(at.Add(5 * time.Minute)), SetOn: "a", SetAt: at, Undo: "muster host resume b"}, Connections: new(42),
			Version: "v1.2.2", Speaks: &api.SpeaksStatus{Lowest: 1, Highest: 1, Written: 1}, ConfigDigest: "77c0ffee77c0ffee", ConfigDiffers: new(true), Holds: new(31)},
		{Name: "c", Address: "10.77.0.3", State: api.StateSilent, Why: "15 intervals of silence", HeardAgoMS: new(4200.0), Order: &api.HostOrderStatus{State: "suspended", SetAt: at, Undo: "muster host resume c"}},
		{Name: "d", Address: "10.77.0.4", State: api.StateUnknown, Why: "never heard since this agent started"},
	}
}

func sampleVIPs() []api.VIPStatus {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	none := []api.RuleOrderStatus{}
	return []api.VIPStatus{
		{Name: "dns", Address: "10.77.0.101/24", Delivery: "igmp", MAC: "01:00:5e:7f:00:65", Group: "239.255.0.101", FormerMAC: "02:bf:0a:4d:00:65", Rules: []api.RuleStatus{
			{Protocol: "udp", Ports: "53", Handling: "shared", Priority: []string{}, Affinity: "client", Orders: none, Quorum: "majority", QuorumWhy: "2 of 4 votes: more than half are needed", Owners: []api.OwnerShare{{Host: "", Buckets: 4096, Percent: 100}}},
		}},
		{Name: "edge", Address: "203.0.113.10/32", Interface: "eth0", Delivery: "routed", Rules: []api.RuleStatus{
			{Protocol: "tcp", Ports: "80", Handling: "shared", Priority: []string{}, Affinity: "none", Orders: none, Quorum: "none", HasQuorum: true, Ready: true, ConnectionsHeld: new(0), Owners: []api.OwnerShare{{Host: "a", Buckets: 4096, Percent: 100}}},
		}},
		{Name: "web", Address: "10.77.0.100/24", Interface: "eth0", Delivery: "directed", Director: "a", Rules: []api.RuleStatus{
			{Protocol: "tcp", Ports: "80,443", Handling: "shared", Priority: []string{}, Affinity: "none", Orders: none, Quorum: "none", HasQuorum: true, Ready: true, ConnectionsHeld: new(0), Owners: []api.OwnerShare{
				{Host: "a", Buckets: 2731, Percent: 66.7}, {Host: "b", Buckets: 1365, Percent: 33.3}}},
			{Protocol: "tcp", Ports: "8000-8010", Handling: "single", Priority: []string{"b", "a"}, Affinity: "network", AffinityIPv4: 24, AffinityIPv6: 64,
				AffinityTimeout: 1200, Remembers: new(12), Orders: []api.RuleOrderStatus{
					{State: "drained", SetOn: "a", SetAt: at, Undo: "muster rule enable web:8000"}, {Host: "b", State: "enabled", SetAt: at, Undo: "muster rule enable web:8000"}},
				Quorum: "witness", HasQuorum: true, QuorumWhy: "2 of 4 votes and the witness", Ready: false, ConnectionsHeld: new(7), Owners: []api.OwnerShare{
					{Host: "b", Buckets: 4096, Percent: 100}}},
			{Protocol: "both", Ports: "rest", Handling: "refuse", Priority: []string{}, Affinity: "none", Orders: none, Quorum: "none", HasQuorum: true, Ready: true,
				Owners: []api.OwnerShare{{Host: "", Buckets: 4096, Percent: 100}}},
		}},
	}
}

// SampleExplanation is an answer with one of everything.
func SampleExplanation() api.Explanation {
	return api.Explanation{
		Client: "203.0.113.9:51234", VIP: "web", Rule: "tcp 80,443", Affinity: "none", Bucket: new(1711), Owner: "b", Epoch: 17,
		Why:    "hash of 203.0.113.9 and port 51234 is bucket 1711; in view 17 (a, b) its first eligible host is b",
		HeldBy: []string{"a"}, Path: []string{"a", "b"},
		AnswerIfNew:         "a forwards it to b, which accepts",
		AnswerIfEstablished: "b looks for a socket, then a; if neither has one, a resets it",
	}
}

// Unknown is a status of an agent that has just started and knows nothing.
func Unknown() api.Status {
	return api.Status{
		Cluster: "shop", Host: "a", State: api.StateJoining, Why: "waits for the others to be heard",
		Config: api.ConfigStatus{Path: "farm.yaml", Digest: "1a2b3c4d5e6f7081"},
		Hosts:  []api.HostStatus{{Name: "a", State: api.StateJoining}, {Name: "b"}},
		VIPs:   []api.VIPStatus{{Name: "web", Address: "10.77.0.100/24", Rules: []api.RuleStatus{{Protocol: "tcp", Ports: "80", Affinity: "none"}}}},
	}
}

// SampleParams has a parameter from each source.
func SampleParams() api.Params {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return api.Params{Host: "a", Config: "1a2b3c4d5e6f", Differ: []string{"b"}, Parameters: []api.EffectiveParameter{
		{About: "cluster", Name: "cluster", Value: "shop", Source: api.FromFile},
		{About: "cluster", Name: "heartbeat.interval", Value: "20ms", Source: api.FromDefault},
		{About: "host a", Name: "weight", Value: "1", Source: api.FromDefault},
		{About: "host b", Name: "weight", Value: "2", Source: api.FromFile},
		{About: "network lan", Name: "address", Value: "239.255.7.9", Source: api.FromCluster},
		{About: "rule web:80", Name: "affinity", Value: "none", Source: api.FromFile},
		{About: "host a", Name: "order", Value: "started", Source: api.FromDefault},
		{About: "host b", Name: "order", Value: "stopped", Source: api.FromOverride, SetOn: "a", SetAt: &at, Undo: "muster host resume b"},
		{About: "rule web:80", Name: "order", Value: "drained", Source: api.FromOverride, SetAt: &at, Undo: "muster rule enable web:80"},
	}}
}
