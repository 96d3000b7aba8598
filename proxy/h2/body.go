package h2

import "sync"

// pieceBytes is the size of the pieces in which bodies wait to be read.
const pieceBytes = 16 << 10

type piece [pieceBytes]byte

//house:allow global a pool that all connections share: most streams have no body
var pieces = sync.Pool{New: func() any { return new(piece) }}

// body is what came of a body and was not read yet, in pieces of which all but the
// first and the last are full.
type body struct {
	pieces []*piece
	r, w   int // where the first is read, and the last written
	length int
}

func (b *body) write(p []byte) {
	for len(p) > 0 {
		if b.w == pieceBytes || len(b.pieces) == 0 {
			b.pieces = append(b.pieces, pieces.Get().(*piece))
			b.w = 0
		}
		n := copy(b.pieces[len(b.pieces)-1][b.w:], p)
		b.w += n
		b.length += n
		p = p[n:]
	}
}

func (b *body) read(p []byte) (taken int) {
	for b.length > 0 && taken < len(p) {
		first := b.pieces[0]
		end := pieceBytes
		if len(b.pieces) == 1 {
			end = b.w
		}
		n := copy(p[taken:], first[b.r:end])
		b.r += n
		b.length -= n
		taken += n
		if b.r == end {
			b.drop()
		}
	}
	return taken
}

// drop gives the first piece back, of which all was read.
func (b *body) drop() {
	pieces.Put(b.pieces[0])
	b.pieces[0] = nil
	b.pieces = append(b.pieces[:0], b.pieces[1:]...)
	b.r = 0
	if len(b.pieces) == 0 {
		b.w = 0
	}
}

// clear drops everything.
func (b *body) clear() {
	for len(b.pieces) > 0 {
		b.drop()
	}
	b.length = 0
}
