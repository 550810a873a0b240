/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Hosts that are no neighbours: frames between them travel in UDP (VXLAN, RFC 7348). The device is one for all hosts; each
 * packet says where to. docs/design/0020-tunnel.md has the reasons.
 */
#ifndef MUSTER_TUNNEL_H
#define MUSTER_TUNNEL_H

#include "common.h"

/* As any packet that this host sends: hosts are not many routers apart, and a loop ends. */
#define TUNNEL_TTL 64
#define IP6_HEADER 40
#define MSS_KIND 2
#define MSS_SIZE 4

static __always_inline struct tunnel *tunnel(void)
{
	__u32 zero = 0;
	struct tunnel *t = bpf_map_lookup_elem(&tunnels, &zero);
	return t && t->ifindex ? t : NULL;
}

/*
 * Gives the packet the outer header that the device shall make. The sender is this host's own address: the other end believes
 * no other. Kernels before 6.0 cannot be told it; there the route decides, which is the same address on a host with one.
 */
static __always_inline bool wrap(struct __sk_buff *skb, struct tunnel *t, struct mac *to)
{
	struct bpf_tunnel_key key = { .tunnel_id = t->vni, .tunnel_ttl = TUNNEL_TTL };
	__u32 flags = 0;
	if (t->v6) {
		flags = BPF_F_TUNINFO_IPV6;
		__builtin_memcpy(key.remote_ipv6, to->remote.word, sizeof(key.remote_ipv6));
		__builtin_memcpy(key.local_ipv6, t->local.word, sizeof(key.local_ipv6));
	} else {
		key.remote_ipv4 = bpf_ntohl(to->remote.word[3]);
		key.local_ipv4 = bpf_ntohl(t->local.word[3]);
	}
	return !bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags) ||
	       !bpf_skb_set_tunnel_key(skb, &key, offsetof(struct bpf_tunnel_key, local_ipv4), flags);
}

/* Addresses the frame to a host that is not on this network. The tunnel's device, or 0 if the host is not known there. */
static __always_inline __u32 address_far(struct __sk_buff *skb, __u32 id)
{
	struct tunnel *t = tunnel();
	struct mac_key key = { .id = id };
	__u8 frame[2 * ETH_ALEN];
	if (!t)
		return 0;
	key.ifindex = t->ifindex;
	struct mac *to = bpf_map_lookup_elem(&macs, &key);
	if (!to)
		return 0;
	__builtin_memcpy(frame, to->addr, ETH_ALEN);
	__builtin_memcpy(frame + ETH_ALEN, t->mac, ETH_ALEN);
	return wrap(skb, t, to) && !bpf_skb_store_bytes(skb, 0, frame, sizeof(frame), 0) ? t->ifindex : 0;
}

/* Sends the frame on. */
static __noinline int forward_far(struct __sk_buff *skb, __u32 id, __u32 reason)
{
	__u32 device = address_far(skb, id);
	count(device ? reason : DROP_NO_PEER);
	return device ? bpf_redirect(device, 0) : TC_ACT_SHOT;
}

/*
 * Whether a packet that the device has unwrapped is from a host of the cluster: inside, its own MAC of the tunnel, which only hosts
 * are told and in secret; outside, its address; and the number of this cluster.
 */
static __noinline bool from_host(struct __sk_buff *skb)
{
	struct tunnel *t = tunnel();
	struct bpf_tunnel_key outer = {};
	struct mac_key key = { .ifindex = skb->ifindex };
	__s32 id = sender(skb);
	if (!t || id == NONE || t->ifindex != skb->ifindex)
		return false;
	key.id = id;
	struct mac *from = bpf_map_lookup_elem(&macs, &key);
	if (!from || bpf_skb_get_tunnel_key(skb, &outer, offsetof(struct bpf_tunnel_key, local_ipv4), t->v6 ? BPF_F_TUNINFO_IPV6 : 0))
		return false;
	if (outer.tunnel_id != t->vni)
		return false;
	if (!t->v6)
		return outer.remote_ipv4 == bpf_ntohl(from->remote.word[3]);
	for (int i = 0; i < 4; i++)
		if (outer.remote_ipv6[i] != from->remote.word[i])
			return false;
	return true;
}

/*
 * The answer to a SYN says how large the client's segments may be: as large as fits the tunnel, or each would be cut in two. Linux
 * writes that option first. A connection that begins on the VIP's network may be asked for elsewhere later, so every host does it.
 */
static __always_inline int clamp(struct __sk_buff *skb, __u32 index, __u32 l4, bool v6)
{
	__u8 option[MSS_SIZE];
	struct tunnel *t = tunnel();
	struct vip *vip = bpf_map_lookup_elem(&vips, &index);
	__u32 headers = (v6 ? IP6_HEADER : sizeof(struct iphdr)) + sizeof(struct tcphdr);
	__u32 at = l4 + sizeof(struct tcphdr);
	if (!t || !vip || !(vip->flags & VIP_TUNNEL) || t->mtu <= headers)
		return PASS;
	if (bpf_skb_load_bytes(skb, at, option, sizeof(option)) || option[0] != MSS_KIND || option[1] != MSS_SIZE)
		return PASS;
	__u16 is = option[2] << 8 | option[3], fits = t->mtu - headers;
	if (is <= fits)
		return PASS;
	__be16 old = bpf_htons(is), new = bpf_htons(fits);
	if (bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), old, new, sizeof(new)) ||
	    bpf_skb_store_bytes(skb, at + 2, &new, sizeof(new), 0))
		return TC_ACT_SHOT; /* half done: the client asks again */
	count(TUNNEL_CLAMPED);
	return PASS;
}

#endif
