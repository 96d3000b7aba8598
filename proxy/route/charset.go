package route

// A charset is a bitmap of ASCII characters in two constants, low for those
// below 64 and high for the others, so that one shift and one "and" tell whether
// a byte is in it. Bytes beyond ASCII are in none: shifts of 64 and more give 0.
const (
	digits  = (1<<10 - 1) << '0'
	letters = (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)

	// The unreserved characters of RFC 3986 section 2.3.
	unreservedLow  = digits | 1<<'-' | 1<<'.'
	unreservedHigh = letters | 1<<('_'-64) | 1<<('~'-64)

	// What RFC 3986 section 3.3 lets stand in a path as it is, without ";", and
	// the slash.
	plainLow = unreservedLow | 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' |
		1<<'*' | 1<<'+' | 1<<',' | 1<<'=' | 1<<':' | 1<<'/'
	plainHigh = unreservedHigh | 1<<('@'-64)

	// What ends a path or divides it for some parsers, and DEL.
	refusedLow  = 1<<'#' | 1<<'?'
	refusedHigh = 1<<('\\'-64) | 1<<(0x7f-64)
)

func isUnreserved(c byte) bool { return in(c, unreservedLow, unreservedHigh) }
func isPlain(c byte) bool      { return in(c, plainLow, plainHigh) }
func isRefused(c byte) bool    { return in(c, refusedLow, refusedHigh) }

func in(c byte, low, high uint64) bool {
	return (1<<c)&low|(1<<(c-64))&high != 0
}
