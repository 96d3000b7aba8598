package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"

	"doorward/proxy/netio"
)

// proxyHeaderBytes is room for the longest PROXY header with some bytes of what
// follows it: version 2 with TLVs, more than any sender uses.
const proxyHeaderBytes = 4 << 10

var (
	errNoAddress = errors.New("address of another family than TCP")
	errChecksum  = errors.New("wrong checksum")
)

// readProxyHeader reads the PROXY header (version 1 or 2) that a listed peer
// must send, within d, and takes the client's address from it. TLVs are not
// used: what they claim, a certificate for example, nobody has proved.
func (c *conn) readProxyHeader(d time.Duration) error {
	c.io.ReadIdle, c.io.ReadUntil = 0, netio.Now()+int64(d)
	r := bufio.NewReaderSize(c.io, proxyHeaderBytes)
	h, err := proxyproto.Read(r)
	if err != nil {
		return err
	}
	if rest, err := io.ReadAll(io.LimitReader(r, int64(r.Buffered()))); err == nil {
		c.io.Unread(rest)
	}
	if h.Command.IsLocal() || h.TransportProtocol.IsUnspec() {
		return nil // the peer speaks for itself: a health check
	}
	if err := checkTLVs(h); err != nil {
		return err
	}
	src, _, ok := h.TCPAddrs()
	if !ok {
		return errNoAddress
	}
	p := src.AddrPort()
	c.e.conns.rename(c, netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port()))
	return nil
}

// fixedBytes is the length of the part of a version 2 header that all have.
const fixedBytes = 16

// checkTLVs refuses a version 2 header whose TLVs do not fit, or whose checksum,
// if there is one, is wrong.
func checkTLVs(h *proxyproto.Header) error {
	if h.Version != 2 {
		return nil
	}
	if _, err := h.TLVs(); err != nil {
		return err
	}
	raw, err := h.Format()
	if err != nil {
		return err
	}
	tlvs := raw[fixedBytes+addressBytes(h.TransportProtocol):]
	for len(tlvs) > 0 {
		end := 3 + int(binary.BigEndian.Uint16(tlvs[1:]))
		if proxyproto.PP2Type(tlvs[0]) == proxyproto.PP2_TYPE_CRC32C {
			return checkSum(raw, tlvs[3:end])
		}
		tlvs = tlvs[end:]
	}
	return nil
}

// checkSum compares sum, which is part of raw, with that of raw without it.
func checkSum(raw, sum []byte) error {
	if len(sum) != crc32.Size {
		return errChecksum
	}
	want := binary.BigEndian.Uint32(sum)
	clear(sum)
	if crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)) != want {
		return errChecksum
	}
	return nil
}

// addressBytes is how long the addresses in a version 2 header are.
func addressBytes(p proxyproto.AddressFamilyAndProtocol) int {
	switch {
	case p.IsIPv4():
		return 2 * (4 + 2)
	case p.IsIPv6():
		return 2 * (16 + 2)
	case p.IsUnix():
		return 2 * 108
	}
	return 0
}
