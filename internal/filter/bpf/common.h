/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What both programs use: counting, the lease, the hash, sockets, and reading headers. */
#ifndef MUSTER_COMMON_H
#define MUSTER_COMMON_H

#include "layout.h"

/* Muster never ends the chain: other programs on the interface still see what it lets through. */
#define PASS TC_ACT_UNSPEC

#define DATA(skb) ((void *)(long)(skb)->data)
#define END(skb) ((void *)(long)(skb)->data_end)

static __always_inline void count(__u32 reason)
{
	__u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);
	if (c && reason < REASONS)
		c->n[reason]++;
}

static __always_inline bool lease_valid(void)
{
	__u32 zero = 0;
	volatile __u64 *deadline = bpf_map_lookup_elem(&lease, &zero);
	return deadline && bpf_ktime_get_boot_ns() < *deadline;
}

/* A rule with quorum has a deadline of its own, which nobody's silence excuses. */
static __always_inline bool may_accept(__u32 slot)
{
	__u32 need = slot >> (24 + SLOT_QUORUM_SHIFT) & SLOT_QUORUM_MASK;
	if (!lease_valid())
		return false;
	if (!need--)
		return true;
	volatile __u64 *deadline = bpf_map_lookup_elem(&quorum, &need);
	return deadline && bpf_ktime_get_boot_ns() < *deadline;
}

/* The finaliser of MurmurHash3 (public domain): every bit of the input reaches every bit of the result. */
static __always_inline __u32 mix(__u32 h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ h >> 16;
}

static __always_inline struct address mapped(__be32 v4)
{
	return (struct address){ .word = { 0, 0, bpf_htonl(0xffff), v4 } };
}

/* Same as Bucket in bucket.go. */
static __always_inline __u32 bucket(struct page *page, struct flow *f, bool v6, bool by_port)
{
	__u32 h = by_port ? (__u32)bpf_ntohs(f->client_port) * 0x9e3779b1 : 0;
	if (!v6)
		return mix(h ^ bpf_ntohl(f->client.word[3] & page->rule.mask4)) >> 20;
#pragma unroll
	for (int i = 0; i < 4; i++)
		h = mix(h ^ bpf_ntohl(f->client.word[i] & page->rule.mask6[i]));
	return h >> 20;
}

/* The VIP's index, or NONE. Same hash as addressPlace in addresses.go. */
static __always_inline __s32 find_vip(__be32 addr)
{
	__u32 zero = 0, a = bpf_ntohl(addr);
	__u32 place = a * 0x9e3779b1 >> (32 - ADDRESS_BITS);
	struct address_table *t = bpf_map_lookup_elem(&addresses, &zero);
	if (!t)
		return NONE;
#pragma unroll
	for (int i = 0; i < ADDRESS_PROBES; i++) {
		__u64 e = *(volatile __u64 *)&t->entry[place + i];
		if (e >> 32 == a && (__u32)e)
			return (__u32)e - 1;
	}
	return NONE;
}

static __always_inline struct address address6(struct in6_addr *a)
{
	struct address out;
	__builtin_memcpy(&out, a, sizeof(out));
	return out;
}

static __always_inline bool same(struct address *a, struct address *b)
{
	return a->word[3] == b->word[3] && a->word[2] == b->word[2] && a->word[1] == b->word[1] && a->word[0] == b->word[0];
}

/*
 * The VIP's index, or NONE. Same hash as addressPlace in addresses.go. An entry that changes while it is read is taken for none: its place
 * is looked at before and after its address.
 */
static __always_inline __s32 find_vip6(struct address *a)
{
	__u32 zero = 0, h = 0;
	struct address6_table *t = bpf_map_lookup_elem(&addresses6, &zero);
	if (!t)
		return NONE;
#pragma unroll
	for (int i = 0; i < 4; i++)
		h = (h ^ bpf_ntohl(a->word[i])) * 0x9e3779b1;
	h >>= 32 - ADDRESS_BITS;
#pragma unroll
	for (int i = 0; i < ADDRESS_PROBES; i++) {
		struct address6 *e = &t->entry[h + i];
		__u32 place = *(volatile __u32 *)&e->place;
		if (place && same(&e->address, a) && *(volatile __u32 *)&e->place == place)
			return place - 1;
	}
	return NONE;
}

static __always_inline __u32 self(void)
{
	__u32 zero = 0;
	struct host *h = bpf_map_lookup_elem(&host, &zero);
	return h ? h->self : NOBODY;
}

/* Where in a rule that remembers clients a flow belongs. In other rules, page is NULL. */
struct place {
	struct page *page;
	__u32 key, bucket;
};

/* The slot of a flow, or 0 with *found unset when no rule is for the port. at is where to note its place; NULL: nobody asks. */
static __always_inline __u32 find_slot(__u32 vip, bool udp, struct flow *f, bool v6, bool *found, struct place *at)
{
	struct ports *p = bpf_map_lookup_elem(&ports, &vip);
	if (!p)
		return 0;
	/* Older kernels (6.1) do not know that what was swapped is of 16 bits, and the compiler, which does, would leave a mask out. */
	__u32 port = bpf_ntohs(f->port);
	asm volatile("%0 &= 0xffff" : "+r"(port));
	__u8 byte = p->port[udp][port];
	__u32 key = byte & PORT_PAGE;
	if (!key--)
		return 0;
	struct page *page = bpf_map_lookup_elem(&slots, &key);
	if (!page)
		return 0;
	*found = true;
	__u32 b = bucket(page, f, v6, byte & PORT_BY_PORT) & (BUCKETS - 1);
	if (at && page->rule.remember)
		*at = (struct place){ .page = page, .key = key, .bucket = b };
	return *(volatile __u32 *)&page->slot[b];
}

static __always_inline __u32 slot_owner(__u32 slot) { return slot & 0xff; }
static __always_inline __u32 slot_second(__u32 slot) { return slot >> 8 & 0xff; }
static __always_inline __u32 slot_third(__u32 slot) { return slot >> 16 & 0xff; }
static __always_inline __u32 slot_flags(__u32 slot) { return slot >> 24; }

/* The compiler must not derive the pointer a second time after the check: the verifier would take it for another one. */
static __always_inline void *direct(struct __sk_buff *skb, __u32 offset, __u32 size)
{
	void *p = DATA(skb) + (offset & (HEADERS_MAX - 1));
	asm volatile("" : "+r"(p));
	return p + size > END(skb) ? NULL : p;
}

/*
 * A header, or NULL when the packet ends before. Headers are nearly always directly readable; when they are not, they are
 * pulled, and pointers into the packet that were there before are void.
 */
static __always_inline void *header_at(struct __sk_buff *skb, __u32 offset, __u32 size)
{
	void *p = direct(skb, offset, size);
	if (p)
		return p;
	if (skb->len < offset + size || bpf_skb_pull_data(skb, offset + size))
		return NULL;
	return direct(skb, offset, size);
}

/* Which host of the cluster sent the frame, or NONE. */
static __always_inline __s32 sender(struct __sk_buff *skb)
{
	struct peer_key key = { .ifindex = skb->ifindex };
	struct ethhdr *eth = DATA(skb);
	if ((void *)(eth + 1) > END(skb))
		return NONE;
	__builtin_memcpy(key.mac, eth->h_source, ETH_ALEN);
	__u32 *id = bpf_map_lookup_elem(&peers, &key);
	return id ? (__s32)*id : NONE;
}

#define TCP_STATE_TIME_WAIT 6
#define TCP_STATE_LISTEN 10
#define TCP_STATE_REQUEST 12

enum finding { SOCKET_NONE, SOCKET_COOKIE, SOCKET_REQUEST, SOCKET_WAITS, SOCKET_IS };

/* Where the headers of a packet are that may end a handshake by syncookie; no: a packet that cannot. */
struct headers {
	void *ip;
	struct tcphdr *tcp;
};

static __always_inline bool ends_handshake(struct headers *h)
{
	return h->ip && h->tcp && h->tcp->ack && !h->tcp->syn && !h->tcp->rst && !h->tcp->fin;
}

static __always_inline struct bpf_sock *lookup(struct __sk_buff *skb, struct flow *f, bool v6)
{
	struct bpf_sock_tuple t = {};
	if (!v6) {
		t.ipv4.saddr = f->client.word[3];
		t.ipv4.daddr = f->vip.word[3];
		t.ipv4.sport = f->client_port;
		t.ipv4.dport = f->port;
		return bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(t.ipv6.saddr, f->client.word, sizeof(t.ipv6.saddr));
	__builtin_memcpy(t.ipv6.daddr, f->vip.word, sizeof(t.ipv6.daddr));
	t.ipv6.sport = f->client_port;
	t.ipv6.dport = f->port;
	return bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/*
 * What the kernel has for an incoming flow. A listener is nothing, unless the segment ends a handshake that the
 * listener's syncookie began.
 */
static __always_inline enum finding find_socket(struct __sk_buff *skb, struct flow *f, bool v6, struct headers *h)
{
	enum finding found = SOCKET_IS;
	struct bpf_sock *sk = lookup(skb, f, v6);
	if (!sk)
		return SOCKET_NONE;
	if (sk->state == TCP_STATE_LISTEN) {
		found = SOCKET_NONE;
		if (h && ends_handshake(h) &&
		    bpf_tcp_check_syncookie(sk, h->ip, v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr), h->tcp, sizeof(*h->tcp)) == 0)
			found = SOCKET_COOKIE;
	} else if (sk->state == TCP_STATE_REQUEST) {
		found = SOCKET_REQUEST;
	} else if (sk->state == TCP_STATE_TIME_WAIT) {
		found = SOCKET_WAITS;
	}
	bpf_sk_release(sk);
	return found;
}

#endif
