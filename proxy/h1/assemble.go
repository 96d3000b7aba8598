package h1

import "bytes"

// Assemble completes a request that came in frames: Method, Target, Host and the
// names and values of Fields are given, in slices that live as long as the request.
// It judges them as Parse does its text, and by what frames forbid beside (RFC 9113,
// sections 8.2 and 8.3): so what is forwarded as text cannot become anything else.
// Host nil is taken from the Host field; there must be one of the two. The error is a
// *SyntaxError.
func (p *Parser) Assemble(r *Request) error {
	if len(r.Method) > maxMethod || !IsToken(r.Method) {
		return errMethod
	}
	if err := p.framedTarget(r); err != nil {
		return err
	}
	r.Minor, r.Length, r.Chunked, r.Close, r.Upgrade = 1, -1, false, false, nil
	host := r.Host
	for i := range r.Fields {
		f := &r.Fields[i]
		if err := framedField(f); err != nil {
			return err
		}
		if f.Kind == ContentLength {
			if err := r.framedLength(f.Value); err != nil {
				return err
			}
		}
	}
	err := r.framedSingle()
	switch {
	case err != nil:
	case host == nil && len(r.Host) == 0:
		err = errNoHost
	case host != nil && r.Host != nil && !bytes.EqualFold(host, r.Host):
		err = errTwoHosts
	}
	if host != nil {
		r.Host = host
	}
	return err
}

// framedTarget takes a target in origin form, or the asterisk of OPTIONS.
func (p *Parser) framedTarget(r *Request) error {
	switch {
	case len(r.Target) == 0:
		return errTargetForm
	case len(r.Target) > p.TargetBytes:
		return errTargetLength
	case !all(r.Target, targetChar):
		return errTarget
	case r.Target[0] != '/' && string(r.Target) != "*":
		return errTargetForm
	}
	return r.target()
}

// framedField judges a field by itself.
func framedField(f *Field) error {
	switch {
	case !IsToken(f.Name):
		return errName
	case len(f.Name) > maxName:
		return errNameLength
	}
	for _, c := range f.Name {
		if c != lower(c) {
			return errCase
		}
	}
	if !plainValue(f.Value) {
		return errValue
	}
	if len(trim(f.Value)) != len(f.Value) {
		return errBlanks
	}
	switch f.Kind = kindOf(f.Name); f.Kind {
	case Connection, KeepAlive, ProxyConnection, TransferEncoding, Upgrade, HTTP2Settings:
		return errConnection
	case TE:
		if !EqualFold(f.Value, "trailers") {
			return errConnection
		}
	}
	return nil
}

// framedLength takes the one spelling of a length that nobody reads otherwise (security
// case H2-04). Text may have zeros in front: there the length that goes on is ours.
func (r *Request) framedLength(v []byte) error {
	if len(v) > 1 && v[0] == '0' {
		return errLength
	}
	return r.length(v)
}

// framedSingle is single without what belongs to text.
func (r *Request) framedSingle() error {
	hosts, expects := 0, 0
	r.Host, r.Continue = nil, false
	for i := range r.Fields {
		switch f := &r.Fields[i]; f.Kind {
		case Host:
			hosts++
			r.Host = f.Value
		case Expect:
			expects++
			if expects > 1 || !EqualFold(f.Value, "100-continue") {
				return errExpect
			}
			r.Continue = true
		}
	}
	if hosts > 1 {
		return errTwoHosts
	}
	return nil
}

// CheckTrailer judges a field behind the body that came in frames (RFC 9113, section
// 8.1), as is done behind the last chunk of a text. The error is a *SyntaxError.
func CheckTrailer(f *Field) error {
	if err := framedField(f); err != nil {
		return err
	}
	if f.Kind.headOnly() {
		return errTrailer
	}
	return nil
}
