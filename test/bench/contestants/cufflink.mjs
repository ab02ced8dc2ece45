// The product as it is served.
import '../../../dist/src/main.js';
