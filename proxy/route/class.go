package route

// What a byte of a path is. Being printable, the classes make the table below
// readable.
const (
	unreserved = 'u' // RFC 3986 section 2.3
	delim      = 'd' // may stand in a path as it is, section 3.3
	slash      = '/'
	semicolon  = ';'
	percent    = '%'
	space      = ' '
	quoted     = 'q' // stands in a path as an escape only
	refused    = '-' // ends or divides a path for some parsers, or is a control
	high       = 'h' // part of a character beyond ASCII
)

// pathClasses has the class of each byte. It is a string because a constant
// cannot be changed and costs one load to read.
const pathClasses = "" +
	"----------------" + // 00-0f
	"----------------" + // 10-1f
	" dq-d%ddddddduu/" + //  !"#$%&'()*+,-./
	"uuuuuuuuuud;qdq-" + // 0-9:;<=>?
	"duuuuuuuuuuuuuuu" + // @A-O
	"uuuuuuuuuuuq-qqu" + // P-Z[\]^_
	"quuuuuuuuuuuuuuu" + // `a-o
	"uuuuuuuuuuuqqqu-" + // p-z{|}~ 7f
	highs + highs + highs + highs + highs + highs + highs + highs // 80-ff

const highs = "hhhhhhhhhhhhhhhh"
