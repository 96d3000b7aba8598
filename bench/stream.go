package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// firstFlight is what a client of HTTP/2 sends at once on a new connection that
// asks for / and nothing else: preface, settings, and the request on stream 1
// (RFC 9113, section 3.4).
func firstFlight(host string) []byte {
	var head, flight bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, field := range [][2]string{
		{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", host},
	} {
		// Nothing that is written to memory fails, here and below.
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	flight.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&flight, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true, EndStream: true,
	})
	return flight.Bytes()
}

// readStream reads the whole answer on stream 1, and accepts the proxy's settings
// as a client has to.
func readStream(to io.Writer, from io.Reader) error {
	framer := http2.NewFramer(to, from)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	size := 0
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			if status := f.PseudoValue("status"); status != "200" {
				err = fmt.Errorf("answer %s", status)
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			size += len(f.Data())
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame:
			err = fmt.Errorf("stream reset: %s", f.ErrCode)
		case *http2.GoAwayFrame:
			err = fmt.Errorf("connection ended: %s", f.ErrCode)
		}
		switch {
		case err != nil:
			return err
		case ended && size != smallBytes:
			return errors.New("an answer without its body")
		case ended:
			return nil
		}
	}
}
