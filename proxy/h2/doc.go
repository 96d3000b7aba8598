// Package h2 is HTTP/2 (RFC 9113) on the wire, the server's side of it: frames in,
// requests out, answers in, frames out. Extended CONNECT (RFC 8441) is part of it;
// priorities are read and given no meaning.
//
// One goroutine reads the frames of a connection, each stream is handled in one of
// its own. What they share is under one lock, held for memory only and never for the
// network. Streams append their frames to the connection's output; whoever finds
// nobody writing becomes the writer, lets others that are ready append too, and
// writes until nothing is left. So the answers of many streams leave in one TLS
// record and one system call.
//
// A request comes as h1.Request, judged as strictly as HTTP/1's parser does, and an
// answer is given as the text of an HTTP/1 head: that is the form in which everything
// else knows messages. Routes, servers and sessions are not known here.
package h2
