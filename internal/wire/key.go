package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/muster-ha/muster/internal/member"
)

const keySize = 32 // AES-256

// keyring derives the key of each sender's boot on one network from the cluster's secret.
type keyring struct {
	root    []byte // HKDF's extracted key: the secret itself is not kept
	network uint16
}

func newKeyring(secret []byte, tag clusterTag, network uint16) (keyring, error) {
	root, err := hkdf.Extract(sha256.New, secret, tag[:])
	if err != nil {
		return keyring{}, fmt.Errorf("extract key: %w", err)
	}
	return keyring{root: root, network: network}, nil
}

// seal returns the cipher of one sender's boot.
func (k keyring) seal(sender member.ID, boot member.Boot) (cipher.AEAD, error) {
	info := binary.BigEndian.AppendUint16([]byte("muster datagram"), uint16(sender))
	info = binary.BigEndian.AppendUint64(info, uint64(boot))
	info = binary.BigEndian.AppendUint16(info, k.network)
	key, err := hkdf.Expand(sha256.New, k.root, string(info), keySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return aead, nil
}

// nonce is the sequence, which is never used twice under one key.
type nonce [12]byte

func (n *nonce) set(seq uint64) []byte {
	binary.BigEndian.PutUint64(n[4:], seq)
	return n[:]
}
