/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the agent and the programs share: maps, their layout, the names of decisions. Change LAYOUT with every change
 * that an agent of another version would misread, and the Go side (layout.go, reason.go) with it.
 */
#ifndef MUSTER_LAYOUT_H
#define MUSTER_LAYOUT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LAYOUT 2
#define BUCKETS 4096
#define NOBODY 255
#define NONE (-1)

/* Flags of a slot: its highest byte. */
#define SLOT_OWN 1
#define SLOT_ASK 2
#define SLOT_LAST 4
/* Above them, the quorum that the rule needs: whose deadline counts besides the lease. 0: none. */
#define SLOT_QUORUM_SHIFT 3
#define SLOT_QUORUM_MASK 3
/* The rule takes nothing new from anybody. */
#define SLOT_REFUSED 0x20
/* Nobody owns the bucket: the owner's byte is whom segments of a connection go to first. */
#define SLOT_NO_OWNER 0x40

#define FRAGMENT_MORE 0x2000
#define FRAGMENT_OFFSET 0x1fff
/* The same of an IPv6 fragment header. */
#define FRAGMENT6_MORE 0x0001
#define FRAGMENT6_OFFSET 0xfff8

/*
 * Transport headers are looked for in so many bytes of a frame, a power of two. IPv4 options end before 74; IPv6 extension headers that
 * reach further are not met outside of laboratories (RFC 9098, 6.1).
 */
#define HEADERS_MAX 512

/* Flags of a VIP. */
#define VIP_DIRECTOR 1
#define VIP_TUNNEL 4

/* Bits of a port's byte: the slot page of its rule plus one, and whether the source port counts. Zero: no rule. */
#define PORT_PAGE 0x7f
#define PORT_BY_PORT 0x80

/* Reasons, in the order of package filter's Reason. Accepting ones come first, then forwarding ones, then the rest. */
enum reason {
	ACCEPT_NEW,
	ACCEPT_REMEMBERED,
	ACCEPT_OWNER,
	ACCEPT_SOCKET,
	ACCEPT_COOKIE,
	ACCEPT_END,
	ACCEPT_ICMP,
	ACCEPT_FRAGMENT,
	ACCEPT_SHARED,
	FORWARD_NEW,
	FORWARD_OWNER,
	FORWARD_NEXT,
	DROP_LEASE,
	DROP_NOT_OWNED,
	DROP_NOBODY,
	DROP_REFUSED,
	DROP_NO_SOCKET,
	DROP_FRAGMENT,
	DROP_ICMP,
	DROP_NO_RULE,
	DROP_MALFORMED,
	DROP_FRAME,
	DROP_NO_PEER,
	DROP_LOOP,
	DROP_SEEN_BY_OTHERS,
	ARP_ANSWERED,
	ARP_IGNORED,
	ARP_CONFLICT,
	GUARD_RESET,
	GUARD_ARP,
	ND_ANSWERED,
	ND_IGNORED,
	ND_CONFLICT,
	GUARD_ND,
	TUNNEL_STRANGER,
	TUNNEL_CLAMPED,
	IGMP_STRANGER,
	MLD_STRANGER,
	REASONS,
};
#define LAST_ACCEPT ACCEPT_SHARED
#define LAST_FORWARD FORWARD_NEXT

struct host {
	__u32 layout;
	__u32 self;
};

/*
 * The VIPs' addresses, hashed, with linear probing over a few places. An entry is the address (host order) above the VIP's
 * index plus one, so it changes by one store. Cheaper than a hash map, above all for packets to other addresses.
 */
#define ADDRESS_BITS 10
#define ADDRESS_PROBES 4
struct address_table {
	__u64 entry[(1 << ADDRESS_BITS) + ADDRESS_PROBES];
};

/* An address: IPv4 as ::ffff:a.b.c.d, so that tables have one key for both. */
struct address {
	__be32 word[4];
};

/*
 * The same for IPv6. An address does not fit into one store: its place is written last when it comes and cleared first when it goes. Zero:
 * the entry is free, whatever address is in it.
 */
struct address6 {
	struct address address;
	__u32 place; /* index in vips and ports plus one */
	__u32 pad;
};

struct address6_table {
	struct address6 entry[(1 << ADDRESS_BITS) + ADDRESS_PROBES];
};

/*
 * MACs in words are one store for the agent: their bytes in the order of the wire, then two of zero; a word of zero is none.
 * taken: the cluster's MACs, at which every host gets a frame: today's, and the one before a change of delivery.
 */
#define TAKEN 2
struct vip {
	__u32 flags;
	__u32 ifindex;
	__u8 mac[ETH_ALEN]; /* of the interface */
	__u16 pad;
	__u64 answer; /* the MAC that neighbours are told */
	__u64 taken[TAKEN];
};

/* The rule of each port: TCP first, UDP second. */
struct ports {
	__u8 port[2][65536];
};

/*
 * What of a client's address counts in its bucket: all of it, or its network. And for how many seconds a client is remembered (0: not at
 * all), and since when what this host remembers counts (CLOCK_BOOTTIME in ns).
 */
struct rule {
	__be32 mask4;
	__be32 mask6[4];
	__u32 remember;
	__u64 since;
};

/* A chain is the host that a client's first packet goes to (low byte), and the one that this host passes it to (high byte). */
struct page {
	struct rule rule;
	__u32 slot[BUCKETS];
	__u16 chain[BUCKETS];
};

struct counters {
	__u64 n[REASONS];
};

struct peer_key {
	__u32 ifindex;
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

struct mac_key {
	__u32 ifindex;
	__u32 id;
};

/* Where a host is: its MAC, and its own address if the interface is a tunnel. */
struct mac {
	__u8 addr[ETH_ALEN];
	__u16 pad;
	struct address remote;
};

/* This host's end of the tunnel; ifindex 0: there is none. */
struct tunnel {
	__u32 ifindex;
	__u32 vni;
	__u32 mtu; /* of a packet that fits the way to every host when it is wrapped */
	__u8 mac[ETH_ALEN];
	__u16 pad;
	struct address local;
	__u32 v6; /* local is one of IPv6 */
};

struct datagram {
	struct address from, to;
	__be32 id;
	__u32 protocol;
};

/* A client, or its network, of the rule that has a page. */
struct client {
	__u32 page;
	struct address address;
};

/* What was decided for a datagram's first fragment, and when (CLOCK_BOOTTIME). */
struct kept {
	__u64 at;
	__u32 verdict;
	__u32 pad;
};

/* How much of something was used in a window of time. */
struct budget {
	__u64 window, used;
};

/* A flow as its client sends it. */
struct flow {
	struct address client, vip;
	__be16 client_port, port;
};

/* Sizes of the tables that the agent does not set: entries that age out or are bounded by hosts and interfaces. */
#define MAX_HOSTS 32
#define MAX_VIPS 32
#define QUORUMS 2
#define MAX_PAGES 64
#define MAX_PEERS 1024
#define MAX_DATAGRAMS 4096
#define MAX_PERMITS 1024
#define MAX_ASKED 4096
#define MAX_CLIENTS 65536

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct host);
} host SEC(".maps");

/* CLOCK_BOOTTIME in ns until which new connections are accepted. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lease SEC(".maps");

/* The same by quorum, less one: for buckets of rules that need one, beside the lease. An agent that knows no such rules has no such map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, QUORUMS);
	__type(key, __u32);
	__type(value, __u64);
} quorum SEC(".maps");

/* Address to index in vips and ports. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct address_table);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct address6_table);
} addresses6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__type(value, struct vip);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__type(value, struct ports);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_PAGES);
	__type(key, __u32);
	__type(value, struct page);
} slots SEC(".maps");

/* Whose source address a frame carries: only hosts of the cluster are in it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct peer_key);
	__type(value, __u32);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct mac_key);
	__type(value, struct mac);
} macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tunnel);
} tunnels SEC(".maps");

/* The verdict on a datagram's first fragment, for the later ones. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_DATAGRAMS);
	__type(key, struct datagram);
	__type(value, struct kept);
} datagrams SEC(".maps");

/* Later fragments that were given to all hosts. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct budget);
} shared SEC(".maps");

/* Flows whose chain ended here although the slot names another host: when (CLOCK_BOOTTIME) the stack was let to reset them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PERMITS);
	__type(key, struct flow);
	__type(value, __u64);
} permits SEC(".maps");

/* Flows of which a frame that every host has was sent along the chain, and when (CLOCK_BOOTTIME). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_ASKED);
	__type(key, struct flow);
	__type(value, __u64);
} asked SEC(".maps");

/* When (CLOCK_BOOTTIME) a client of a rule that remembers them was last seen. Full: who was seen the longest ago is forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CLIENTS);
	__type(key, struct client);
	__type(value, __u64);
} clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

#endif
