package wire

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"testing"

	"github.com/muster-ha/muster/internal/member"
)

// TestKeyAgreesWithRFC5869 compares with a key that a few lines of Python (hmac, hashlib) derived.
func TestKeyAgreesWithRFC5869(t *testing.T) {
	const want = "28442972c1d6eea314734f3718dd4b80b81b7c138d9d258a38ba06c06e53520d"
	base, err := newBase(testSecret, tagOf("farm"))
	if err != nil {
		t.Fatal(err)
	}
	ours := base.seal(2, 0x1122334455667788, 5)
	key, _ := hex.DecodeString(want)
	block, _ := aes.NewCipher(key)
	theirs, _ := cipher.NewGCM(block)
	var n nonce
	if a, b := ours.Seal(nil, n.set(7), []byte("x"), nil), theirs.Seal(nil, n.set(7), []byte("x"), nil); !bytes.Equal(a, b) {
		t.Errorf("sealed %x, want %x", a, b)
	}
}

// TestKeysDiffer: a nonce is used once only if no two boots share a key.
func TestKeysDiffer(t *testing.T) {
	sealed := map[string]string{}
	for _, tc := range []struct {
		name, cluster, secret string
		sender                member.ID
		boot                  member.Boot
		network               uint16
	}{
		{"one", "farm", "0123456789abcdef", 0, 1, 0},
		{"other boot", "farm", "0123456789abcdef", 0, 2, 0},
		{"other sender", "farm", "0123456789abcdef", 1, 1, 0},
		{"other secret", "farm", "0123456789abcdeg", 0, 1, 0},
		{"other cluster", "barn", "0123456789abcdef", 0, 1, 0},
		{"other network", "farm", "0123456789abcdef", 0, 1, 1},
	} {
		base, err := newBase([]byte(tc.secret), tagOf(tc.cluster))
		if err != nil {
			t.Fatal(err)
		}
		aead := base.seal(tc.sender, tc.boot, tc.network)
		var n nonce
		out := string(aead.Seal(nil, n.set(1), []byte("payload"), nil))
		if sealed[out] != "" {
			t.Errorf("%s has the key of %s", tc.name, sealed[out])
		}
		sealed[out] = tc.name
	}
}
