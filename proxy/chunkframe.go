package proxy

import (
	"slices"

	"doorward/proxy/h1"
)

// chunkRoom is kept free before the data of a chunk for its size line, and
// chunkTail behind it for the line end.
const (
	chunkRoom = 18
	chunkTail = 8
)

// frameChunk frames the n bytes of data that stand in b at chunkRoom as a chunk,
// in place, and ends the body with its trailers when this is the last.
func frameChunk(b []byte, n int, last bool, trailers []h1.Field) []byte {
	start, end := chunkRoom, chunkRoom+n
	if n > 0 {
		var head [chunkRoom]byte
		line := h1.AppendChunkHead(head[:0], n)
		start -= len(line)
		copy(b[start:], line)
		end += copy(b[end:], "\r\n")
	}
	if !last {
		return b[start:end]
	}
	out := append(b[start:end], h1.LastChunk...)
	out = appendTrailers(out, trailers)
	return append(out, "\r\n"...)
}

// appendChunk appends data, as a chunk if it is to be one. A chunk of nothing
// would end the body.
func appendChunk(b, data []byte, chunked bool) []byte {
	if !chunked {
		return append(b, data...)
	}
	if len(data) == 0 {
		return b
	}
	b = h1.AppendChunkHead(b, len(data))
	b = append(b, data...)
	return append(b, "\r\n"...)
}

func appendTrailers(b []byte, fields []h1.Field) []byte {
	for i := range fields {
		b = appendField(b, &fields[i])
	}
	return b
}

// passing leaves of the trailers those that may go on: none that would be a header
// field of weight, under any spelling, and none that the changes take out.
func passing(trailers []h1.Field, ch *Changes) []h1.Field {
	var present uint64
	return slices.DeleteFunc(trailers, func(f h1.Field) bool {
		return guardOf(f.Name) != passes || hasUnderscore(f.Name) || setsOurCookie(&f) ||
			ch.drops(f.Name, &present)
	})
}
