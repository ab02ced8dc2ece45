// The product as it is served.
import '../../../dist/server/main.js';
