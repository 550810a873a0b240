package madcap

import (
	"encoding/binary"
	"fmt"
)

const (
	headerSize = 8
	minMessage = 12      // header and End option (RFC 2730, section 2.1)
	maxOption  = 1 << 15 // no option that this package makes is longer: it would not fit a datagram
	maxMessage = 65507   // what UDP over IPv4 carries
)

// Message is one MADCAP message (RFC 2730, section 2.1).
type Message struct {
	Type    Type     // what the message is for
	Family  Family   // of the addresses in its options, unless an option says otherwise
	XID     uint32   // the transaction, chosen by the client; answers have the same (section 2.1.4)
	Options []Option // in any order, each code at most once; without the End option
}

// Get returns the option of type T.
func Get[T Option](m Message) (T, bool) {
	for _, o := range m.Options {
		if v, ok := o.(T); ok {
			return v, true
		}
	}
	var none T
	return none, false
}

func (m Message) has(code OptionCode) bool {
	for _, o := range m.Options {
		if o.Code() == code {
			return true
		}
	}
	return false
}

// Parse reads a message. An error that is [ErrMalformed] means bytes to be ignored. An [*OptionError] means a message that breaks
// the RFC; the message is returned with the options that could be read, so that a server can answer it. Whether the options may
// stand in such a message is not looked at: see [Message.Check].
func Parse(b []byte) (Message, error) {
	if len(b) < minMessage {
		return Message{}, fmt.Errorf("%w: %d octets", ErrMalformed, len(b))
	}
	if b[0] != 0 {
		return Message{}, fmt.Errorf("%w: version %d", ErrMalformed, b[0])
	}
	m := Message{Type: Type(b[1]), Family: Family(binary.BigEndian.Uint16(b[2:])), XID: binary.BigEndian.Uint32(b[4:])}
	raw, err := split(b[headerSize:])
	if err != nil {
		return Message{}, err
	}
	err = m.read(raw)
	return m, err
}

// split cuts the options field into options and checks that it ends with an End option, and only there (section 2.1.5).
func split(b []byte) ([]Raw, error) {
	var options []Raw
	for len(b) >= 4 {
		code, n := OptionCode(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
		if n > len(b) {
			return nil, fmt.Errorf("%w: %v option of %d octets, %d left", ErrMalformed, code, n, len(b))
		}
		if code == OptEnd {
			if n != 0 || len(b) != 0 {
				return nil, fmt.Errorf("%w: octets after the end", ErrMalformed)
			}
			return options, nil
		}
		options = append(options, Raw{code, b[:n:n]})
		b = b[n:]
	}
	return nil, fmt.Errorf("%w: no End option", ErrMalformed)
}

// read parses the options and returns the first error after having read all that it could.
func (m *Message) read(raw []Raw) error {
	var first error
	seen := make(map[OptionCode]bool, len(raw))
	for _, r := range raw {
		err := error(&OptionError{r.Number, "twice"})
		if !seen[r.Number] {
			var o Option
			if o, err = parseOption(r, m.Family); err == nil {
				m.Options = append(m.Options, o)
			}
		}
		seen[r.Number] = true
		if first == nil && err != nil {
			first = err
		}
	}
	if m.Family.size() == 0 {
		return &OptionError{NoOption, fmt.Sprintf("%v is not known", m.Family)}
	}
	return first
}

// Encode writes the message as it stands in that place. The error, if any, is what [Message.Check] says, or names an option
// whose value cannot be written, or one that stands twice.
func (m Message) Encode(p Place) ([]byte, error) {
	if err := m.Check(p); err != nil {
		return nil, fmt.Errorf("encode %v: %w", m.Type, err)
	}
	b := []byte{0, byte(m.Type)}
	b = binary.BigEndian.AppendUint16(b, uint16(m.Family))
	b = binary.BigEndian.AppendUint32(b, m.XID)
	seen := make(map[OptionCode]bool, len(m.Options))
	for _, o := range m.Options {
		if seen[o.Code()] {
			return nil, fmt.Errorf("encode %v: %w", m.Type, &OptionError{o.Code(), "twice"})
		}
		seen[o.Code()] = true
		var err error
		if b, err = appendOption(b, o, m.Family); err != nil {
			return nil, fmt.Errorf("encode %v: %w", m.Type, err)
		}
	}
	if b = append(b, 0, 0, 0, 0); len(b) > maxMessage {
		return nil, fmt.Errorf("encode %v: %d octets do not fit a datagram", m.Type, len(b))
	}
	return b, nil
}

// appendOption writes code, length and value.
func appendOption(b []byte, o Option, f Family) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, uint16(o.Code()))
	start := len(b)
	b, err := o.appendTo(append(b, 0, 0), f)
	if err != nil {
		return nil, err
	}
	n := len(b) - start - 2
	if n > maxOption {
		return nil, &OptionError{o.Code(), fmt.Sprintf("%d octets are too many", n)}
	}
	binary.BigEndian.PutUint16(b[start:], uint16(n))
	return b, nil
}
