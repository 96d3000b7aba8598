package h3_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/quicvarint"

	"doorward/proxy/h3"
)

// What a client may send, and what becomes of it.
func TestRequests(t *testing.T) {
	s := serve(t, h3.Options{}, describe)
	grease := frame(0x1f*5+0x21, 1, 2, 3)
	for name, c := range map[string]struct {
		sent []byte
		want string
	}{
		"plain":          {head(), "GET app.test / \n"},
		"fields":         {head("a", "b", "c", ""), "GET app.test / \na: b\nc: \n"},
		"Host alone":     {head("-authority", "", "host", "a.test"), "GET a.test / \nhost: a.test\n"},
		"crumbs":         {head("cookie", "a=b", "x", "y", "cookie", "c=d"), "GET app.test / \nx: y\ncookie: a=b; c=d\n"},
		"grease first":   {append(grease, head()...), "GET app.test / \n"},
		"grease behind":  {append(head(), grease...), "GET app.test / \n"},
		"body":           {append(head(), frame(0, 'h', 'i')...), "GET app.test / \nbody hi\n"},
		"body in pieces": {join(head(":method", "POST"), frame(0, 'h'), grease, frame(0), frame(0, 'i')), "POST app.test / \nbody hi\n"},
		"length": {append(head(":method", "POST", "content-length", "2"), frame(0, 'h', 'i')...),
			"POST app.test / \ncontent-length: 2\nbody hi\n"},
		"empty post": {head(":method", "POST"), "POST app.test / \n"},
		"trailers": {join(head(":method", "POST"), frame(0, 'h'), frame(1, section("x", "y")...)),
			"POST app.test / \nbody h\ntrailer x: y\n"},
		"te trailers": {head("te", "trailers"), "GET app.test / \nte: trailers\n"},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial()
			if a := read(client.request(true, c.sent)); a.body != c.want || a.err != nil {
				t.Errorf("%d %q, %v; want %q", a.status, a.body, a.err, c.want)
			}
			client.alive()
		})
	}
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// The end of a request without a body may come later than its head.
func TestEndInAPacketOfItsOwn(t *testing.T) {
	s := serve(t, h3.Options{Head: patience}, describe)
	stream := s.dial().request(false, head())
	time.AfterFunc(30*time.Millisecond, func() { _ = stream.Close() })
	if a := read(stream); a.body != "GET app.test / \n" {
		t.Errorf("%q, %v", a.body, a.err)
	}
}

// Requests that break the rules end with their stream; the connection goes on.
func TestSecurityMalformedRequests(t *testing.T) {
	s := serve(t, h3.Options{}, describe)
	const message = 0x10e
	for name, c := range map[string]struct {
		sent []byte
		want uint64
	}{
		"H2-08_upper_case":            {head("X-A", "b"), message},
		"H2-08_CR_LF_in_a_value":      {head("a", "b\r\nc: d"), message},
		"H2-08_NUL_in_a_value":        {head("a", "b\x00"), message},
		"H2-08_LF_in_a_name":          {head("a\nb", "c"), message},
		"H2-08_colon_in_a_name":       {head("a:b", "c"), message},
		"H2-08_empty_name":            {head("", "c"), message},
		"H2-09_blank_before_a_value":  {head("a", " b"), message},
		"H2-11_CR_LF_in_the_path":     {head(":path", "/ HTTP/1.1\r\nx: y"), message},
		"H2-10_space_in_the_method":   {head(":method", "GET /x"), message},
		"connection":                  {head("connection", "close"), message},
		"keep_alive":                  {head("keep-alive", "x"), message},
		"upgrade":                     {head("upgrade", "websocket"), message},
		"proxy_connection":            {head("proxy-connection", "x"), message},
		"H2-05_transfer_encoding":     {head("transfer-encoding", "chunked"), message},
		"te":                          {head("te", "gzip"), message},
		"H2-04_two_lengths":           {head("content-length", "1", "content-length", "1"), message},
		"H2-04_length_is_no_number":   {head("content-length", "+1"), message},
		"H2-02_length_without_a_body": {head("content-length", "5"), message},
		"H2-10_no_method":             {head("-method", ""), message},
		"H2-11_no_path":               {head("-path", ""), message},
		"H2-11_empty_path":            {head(":path", ""), message},
		"H2-11_absolute_path":         {head(":path", "https://app.test/"), message},
		"H2-12_no_scheme":             {head("-scheme", ""), message},
		"H2-12_plain_scheme":          {head(":scheme", "http"), message},
		"H2-13_no_host_at_all":        {head("-authority", ""), message},
		"H2-13_empty_authority":       {head(":authority", ""), message},
		"H2-14_authority_is_not_Host": {head("host", "other.test"), message},
		"H2-15_two_Hosts":             {head("-authority", "", "host", "a", "host", "a"), message},
		"H2-16_pseudo_twice":          {frame(1, section(":method", "GET", ":method", "GET")...), message},
		"H2-16_pseudo_behind":         {head("a", "b", ":path", "/x"), message},
		"H2-16_pseudo_unknown":        {head(":x", "y"), message},
		"H2-16_pseudo_of_an_answer":   {head(":status", "200"), message},
		"protocol_without_tunnel":     {head(":protocol", "websocket"), message},
		"connect":                     {frame(1, section(":method", "CONNECT", ":authority", "a:1")...), message},
		"connect_to_anything":         {head(":method", "CONNECT", ":protocol", "connect-udp"), message},
		"no_request":                  {frame(0x21), 0x10d},
		"nothing":                     {nil, 0x10d},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial()
			if a := read(client.request(true, c.sent)); codeOf(a.err) != c.want {
				t.Errorf("%d %q, %v; want reset with %#x", a.status, a.body, a.err, c.want)
			}
			client.alive()
		})
	}
}

// Bodies that are not what was said never get to whoever reads them as whole.
func TestSecurityBodiesThatLie(t *testing.T) {
	seen := make(chan error, 1)
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		if len(s.Request().Fields) == 0 {
			describe(s)
			return
		}
		_, err := io.ReadAll(s)
		seen <- err
	})
	length := func(n string) []byte { return head(":method", "POST", "content-length", n) }
	for name, sent := range map[string][]byte{
		"H2-02_too_short":             join(length("3"), frame(0, 'a', 'b')),
		"H2-03_too_long":              join(length("1"), frame(0, 'a', 'b')),
		"H2-03_too_long_in_pieces":    join(length("1"), frame(0, 'a'), frame(0, 'b')),
		"H2-02_short_with_trailers":   join(length("3"), frame(0, 'a'), frame(1, section("x", "y")...)),
		"H2-16_pseudo_among_trailers": join(length("1"), frame(0, 'a'), frame(1, section(":path", "/")...)),
		"H2-19_framing_in_trailers":   join(length("1"), frame(0, 'a'), frame(1, section("content-length", "1")...)),
		"H2-19_host_in_trailers":      join(length("1"), frame(0, 'a'), frame(1, section("host", "b")...)),
		"H2-19_trailers_too_large": join(length("1"), frame(0, 'a'),
			frame(1, section("x", strings.Repeat("y", 9000))...)),
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial()
			stream := client.request(true, sent)
			select {
			case err := <-seen:
				if err == nil {
					t.Error("the body was read as if it were whole")
				}
			case <-time.After(patience):
				t.Fatal("nobody read the body")
			}
			if a := read(stream); codeOf(a.err) == 0 {
				t.Errorf("%d %q, %v; want a reset", a.status, a.body, a.err)
			}
			client.alive()
		})
	}
}

// What breaks the connection's own rules ends the connection.
func TestSecurityConnectionFaults(t *testing.T) {
	s := serve(t, h3.Options{}, describe)
	const unexpected, critical = 0x105, 0x104
	request := func(b ...[]byte) func(*client) { return func(c *client) { c.request(true, b...) } }
	uni := func(kind uint64, b ...[]byte) func(*client) { return func(c *client) { c.uni(kind, b...) } }
	ended := func(kind uint64, b ...[]byte) func(*client) {
		return func(c *client) { _ = c.uni(kind, b...).Close() }
	}
	for name, c := range map[string]struct {
		do   func(*client)
		want uint64
	}{
		"data_before_the_head":  {request(frame(0, 'a')), unexpected},
		"settings_on_a_request": {request(frame(4)), unexpected},
		"push_promise":          {request(head(), frame(5)), unexpected},
		"goaway_on_a_request":   {request(head(), frame(7, 0)), unexpected},
		"frame_of_HTTP2":        {request(head(), frame(6)), unexpected},
		"data_behind_trailers":  {request(head(), frame(1, section("a", "b")...), frame(0, 'x')), unexpected},
		"frame_without_its_end": {request(quicvarint.Append([]byte{1}, 100)), 0x106},
		"half_a_length":         {request([]byte{1, 0x40}), 0x106},
		"H2-32_dynamic_table":   {request(frame(1, 0x02, 0x00, 0x80)), 0x200},
		"no_such_entry":         {request(frame(1, 0, 0, 0xff, 0x7f)), 0x200},
		"string_without_end":    {request(frame(1, 0, 0, 0x27, 0x7f, 'a')), 0x200},
		"bad_huffman":           {request(frame(1, 0, 0, 0x51, 0x84, 0xff, 0xff, 0xff, 0xff)), 0x200},
		"H2-32_table_entries":   {uni(2, []byte{0x3f, 0x20, 'x'}), 0x201},
		"encoder_ends":          {ended(2), critical},
		"decoder_ends":          {ended(3), critical},
		"two_encoders":          {func(c *client) { c.uni(2); c.uni(2) }, 0x103},
		"push":                  {uni(1, []byte{0}), 0x103},
		"two_controls":          {uni(0, frame(4)), 0x103},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial()
			client.alive()
			c.do(client)
			if got := client.closedWith(); got != c.want {
				t.Errorf("%#x, want %#x", got, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		control []byte
		want    uint64
	}{
		"no_settings":       {frame(7, 0), 0x10a},
		"settings_twice":    {join(frame(4), frame(4)), unexpected},
		"setting_twice":     {frame(4, 6, 1, 6, 1), 0x109},
		"setting_of_HTTP2":  {frame(4, 2, 0), 0x109},
		"half_a_setting":    {frame(4, 6), 0x106},
		"H2-25_huge":        {quicvarint.Append([]byte{4}, 1<<20), 0x107},
		"data":              {join(frame(4), frame(0, 'x')), unexpected},
		"head":              {join(frame(4), head()), unexpected},
		"cancel_push":       {join(frame(4), frame(3, 0)), 0x108},
		"H2-27_frame_flood": {join(frame(4), []byte(strings.Repeat(string(frame(0x21)), 400))), 0x107},
	} {
		t.Run("control_"+name, func(t *testing.T) {
			client := s.dial(true)
			client.uni(0, c.control)
			if got := client.closedWith(); got != c.want {
				t.Errorf("%#x, want %#x", got, c.want)
			}
		})
	}
	t.Run("control_ends", func(t *testing.T) {
		client := s.dial(true)
		_ = client.uni(0, frame(4)).Close()
		if got := client.closedWith(); got != critical {
			t.Errorf("%#x, want %#x", got, critical)
		}
	})
}

// Streams that nobody knows are allowed, but not without end.
func TestSecurityUnknownStreams(t *testing.T) {
	s := serve(t, h3.Options{}, describe)
	client := s.dial()
	n := 0
	for {
		stream, err := client.OpenUniStream()
		if err != nil {
			break
		}
		_, _ = stream.Write([]byte{0x40, 0x54, 1, 2, 3})
		if n++; n > 100 {
			t.Fatal("any number of streams may be opened")
		}
	}
	if n == 0 {
		t.Error("none may be opened")
	}
	client.alive()
}

func TestHeadsThatAreRefused(t *testing.T) {
	s := serve(t, h3.Options{}, describe)
	many := make([]string, 0, 120)
	crumbs := make([]string, 0, 240)
	for range 60 {
		many = append(many, "a", "b")
	}
	for range 45 {
		crumbs = append(crumbs, "cookie", "")
	}
	for name, c := range map[string]struct {
		sent []byte
		want int
	}{
		"H2-44_fields":         {head(many...), 431},
		"H2-32_bytes":          {head("a", strings.Repeat("b", 8192)), 431},
		"H2-23_bytes_on_wire":  {frame(1, make([]byte, 9000)...), 431},
		"H2-32_bomb":           {frame(1, append([]byte{0, 0}, []byte(strings.Repeat("\xdd", 2000))...)...), 431},
		"H2-33_crumbs_are_few": {head(crumbs...), 200},
		"target":               {head(":path", "/"+strings.Repeat("p", 1024)), 414},
		"TRACE":                {head(":method", "TRACE"), 405},
		"expectation":          {head("expect", "miracles"), 417},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial()
			if a := read(client.request(true, c.sent)); a.status != c.want {
				t.Errorf("%d, %v; want %d", a.status, a.err, c.want)
			}
			client.alive()
		})
	}
}
