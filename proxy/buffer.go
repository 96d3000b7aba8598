package proxy

// Sizes of buffers. A head starts small, because most are; a body is moved in
// large pieces, because each costs two system calls.
const (
	headBytes   = 4 << 10
	answerBytes = 16 << 10
	bulkBytes   = 64 << 10
)

// keptBytes is the most that a buffer may hold to be used again by another
// exchange: what a few large heads needed is not kept for the small ones.
const keptBytes = 64 << 10

// buffer holds bytes read and not yet used: b[r:w].
type buffer struct {
	b    []byte
	r, w int
}

func (b *buffer) len() int      { return b.w - b.r }
func (b *buffer) bytes() []byte { return b.b[b.r:b.w] }
func (b *buffer) free() []byte  { return b.b[b.w:] }
func (b *buffer) full() bool    { return b.w == len(b.b) }
func (b *buffer) clear()        { b.r, b.w = 0, 0 }

// shrink puts a buffer of size bytes in place of one that has grown too large.
func (b *buffer) shrink(size int) {
	b.clear()
	if len(b.b) > keptBytes {
		b.b = make([]byte, size)
	}
}

// push adds bytes at the end, with more room where it needs that.
func (b *buffer) push(p []byte) {
	for len(b.free()) < len(p) {
		b.grow(b.len() + len(p))
	}
	b.w += copy(b.free(), p)
}

// discard moves what is left to the front.
func (b *buffer) discard() {
	if b.r == b.w {
		b.clear()
		return
	}
	if b.r > 0 {
		b.w = copy(b.b, b.bytes())
		b.r = 0
	}
}

// grow makes room at the end: by moving what is there to the front, or by a
// larger buffer, up to most bytes and a little more for what follows a head.
func (b *buffer) grow(most int) {
	if b.r > 0 {
		b.discard()
		return
	}
	size := min(4*len(b.b), most+headBytes)
	if size <= len(b.b) {
		size = len(b.b) + headBytes
	}
	bigger := make([]byte, size)
	b.w = copy(bigger, b.bytes())
	b.r = 0
	b.b = bigger
}
