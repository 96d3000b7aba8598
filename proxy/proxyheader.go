package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"

	"doorward/proxy/netio"
)

// proxyHeaderBytes is room for the longest PROXY header with some bytes of what
// follows it: version 2 with TLVs, more than any sender uses.
const proxyHeaderBytes = 4 << 10

var errNoAddress = errors.New("address of another family than TCP")

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
	src, _, ok := h.TCPAddrs()
	if !ok {
		return errNoAddress
	}
	p := src.AddrPort()
	c.peer = netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
	return nil
}
