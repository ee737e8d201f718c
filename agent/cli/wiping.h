#pragma once

/*
 * From now on jansson (answers with recovery codes) and OpenSSL wipe what they free: its decoders and encoders leave copies of private keys behind (3.0: EVP_PKEY2PKCS8(), the
 * decoder of encrypted PKCS#8). First thing in main(): later, OpenSSL does not take other functions and this does nothing.
 */
void wiping_begin(void);
